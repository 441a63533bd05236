#!/usr/bin/env bash
# Make an image from busybox-static, run a container of it, print what it said.
#   demonstration.sh SOCKET
set -euo pipefail
cd "$(dirname "$0")/.."

socket=$1
image=skep-demo:latest
script='echo "Hello from container $(hostname), kernel $(uname -r)"
echo "processes here: $(ps | tail -n +2 | wc -l); address: $(hostname -i 2>/dev/null || echo none)"'

staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
chmod 755 "$staging" # mktemp makes it private, and it becomes the image's root
mkdir -p "$staging"/{bin,tmp,etc}
cp /bin/busybox "$staging/bin/busybox"
# Every name that busybox answers to, as a link.
/bin/busybox --list | while read -r name; do
    [ "$name" = busybox ] || ln -s busybox "$staging/bin/$name"
done
chmod 1777 "$staging/tmp"
archive() { tar -C "$staging" -c --owner=0 --group=0 --numeric-owner .; }

with_docker() {
    local docker=$1
    export DOCKER_HOST=unix://$socket
    echo '$ tar -c busybox... | docker import -c "CMD [\"sh\"]" - '"$image"
    archive | "$docker" import -c 'CMD ["sh"]' - "$image"
    echo "\$ docker run --rm $image sh -c '...'"
    "$docker" run --rm "$image" sh -c "$script"
}

with_curl() { # the same three steps, spoken by hand
    local api=(curl -sf --unix-socket "$socket") body id
    archive | "${api[@]}" -X POST -H 'Content-Type: application/x-tar' -T - \
        "http://skep/images/create?fromSrc=-&repo=${image%:*}&tag=${image#*:}"
    body=$(.venv/bin/python -c 'import json, sys; print(json.dumps(
        {"Image": sys.argv[1], "Cmd": ["sh", "-c", sys.argv[2]], "Tty": True}))' "$image" "$script")
    id=$("${api[@]}" -X POST -H 'Content-Type: application/json' -d "$body" \
        http://skep/containers/create | sed 's/.*"Id":"\([0-9a-f]*\)".*/\1/')
    "${api[@]}" -X POST "http://skep/containers/$id/start"
    "${api[@]}" -X POST "http://skep/containers/$id/wait" >/dev/null
    "${api[@]}" "http://skep/containers/$id/logs?stdout=1"
    "${api[@]}" -X DELETE "http://skep/containers/$id"
}

if docker=$(packaging/docker_cli.sh); then
    with_docker "$docker"
else
    echo "There is no docker command here; speaking HTTP instead."
    with_curl
    docker=docker
fi

cat <<END

The node is up on $socket. To point your docker command at it:
  $docker context create skep --docker host=unix://$socket
  $docker context use skep
or for one command:
  $docker -H unix://$socket run --rm -it ${image%:*} sh
To stop it: make down
END
