"""Files in and out of real containers: cp, export, diff, commit."""

from __future__ import annotations

import bz2
import gzip
import http.client
import io
import json
import lzma
import os
import socket
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from docker.errors import APIError
from requests.exceptions import RequestException

from tests.root.node import Node

NAP = ("busybox", "sleep", "1000000")


def up(node: Node, *flags: str) -> str:
    """Run a container without a network that stays; return its id."""
    return node.docker("run", "-d", "--network", "none", *flags, *NAP).stdout.strip()


def made(node: Node, *flags: str) -> str:
    """Create a container that is not started; return its id."""
    return node.docker("create", "--network", "none", *flags, *NAP).stdout.strip()


@pytest.fixture(params=[up, made], ids=["running", "created"])
def box(request: pytest.FixtureRequest, daemon: Node) -> str:
    """Lend a container in each of the two states that have different ways to its files."""
    make: Callable[..., str] = request.param
    return make(daemon, "-v", "/data", "--user", "www")


def content(node: Node, ref: str, path: str) -> bytes:
    """Return a file of a container by way of the API."""
    chunks, _ = node.api().containers.get(ref).get_archive(path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        file = tar.extractfile(tar.getmembers()[0])
        assert file is not None
        return file.read()


def names(node: Node, ref: str, path: str) -> list[str]:
    """Return the names of the tar of a path."""
    chunks, _ = node.api().containers.get(ref).get_archive(path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        return tar.getnames()


def tar_of(*members: tuple[str, bytes | str]) -> bytes:
    """Return a tar of files; text content makes a symbolic link, a slash at the end a directory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members:
            entry = tarfile.TarInfo(name.rstrip("/"))
            entry.uid = entry.gid = 7
            if name.endswith("/"):
                entry.type = tarfile.DIRTYPE
                entry.mode = 0o755
            if isinstance(data, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, data
            else:
                entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data) if isinstance(data, bytes) else None)
    return buffer.getvalue()


def put(node: Node, ref: str, query: str, data: bytes) -> tuple[int, str]:
    """Put an archive with arguments that docker-py does not know; return status and text."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(node.socket))
        head = f"PUT /containers/{ref}/archive?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        client.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        return answer.status, answer.read().decode()


def test_a_file_goes_in_and_comes_out(daemon: Node, box: str, tmp_path: Path) -> None:
    """The bytes, the mode and the time are the same after both ways."""
    source = tmp_path / "source"
    source.write_bytes(os.urandom(3_000_000))
    source.chmod(0o640)
    os.utime(source, (1_600_000_000, 1_600_000_000))

    daemon.docker("cp", str(source), f"{box}:/tmp/there")
    daemon.docker("cp", f"{box}:/tmp/there", str(tmp_path / "back"))

    back = tmp_path / "back"
    assert back.read_bytes() == source.read_bytes()
    assert (back.stat().st_mode & 0o777, back.stat().st_mtime) == (0o640, 1_600_000_000)


def test_directories_go_by_docker_s_rules(daemon: Node, box: str, tmp_path: Path) -> None:
    """`dir` copies the directory, `dir/.` its content; a missing target takes the name."""
    (tmp_path / "dir" / "sub").mkdir(parents=True)
    (tmp_path / "dir" / "sub" / "file").write_text("x")

    daemon.docker("cp", str(tmp_path / "dir"), f"{box}:/tmp/")
    daemon.docker("cp", f"{tmp_path}/dir/.", f"{box}:/tmp/")
    daemon.docker("cp", str(tmp_path / "dir"), f"{box}:/tmp/other")
    daemon.docker("cp", f"{box}:/tmp/.", str(tmp_path / "out"))

    found = {str(each.relative_to(tmp_path / "out")) for each in (tmp_path / "out").rglob("file")}
    assert found == {"dir/sub/file", "sub/file", "other/sub/file"}


def test_links_stay_links_unless_followed(daemon: Node, box: str, tmp_path: Path) -> None:
    """Without -L the link itself comes; with it, what it points to."""
    daemon.docker("cp", f"{box}:/bin/sh", str(tmp_path / "link"))
    daemon.docker("cp", "-L", f"{box}:/bin/sh", str(tmp_path / "file"))

    assert (tmp_path / "link").readlink() == Path("busybox")
    assert (tmp_path / "file").stat().st_size == Path("/bin/busybox").stat().st_size


def test_a_volume_s_files_are_reached(daemon: Node, box: str, tmp_path: Path) -> None:
    """What is copied to a volume's place is in the volume, whether the container runs or not."""
    (tmp_path / "file").write_text("in the volume")

    daemon.docker("cp", str(tmp_path / "file"), f"{box}:/data/")

    container = daemon.api().containers.get(box)
    volume = Path(container.attrs["Mounts"][0]["Source"])
    assert (volume / "file").read_text() == "in the volume"
    assert content(daemon, box, "/data/file") == b"in the volume"
    assert "A /data/file" not in daemon.docker("diff", box).stdout


def test_a_part_of_a_volume_is_reached_at_rest(daemon: Node) -> None:
    """A subpath is held by a mount of its own, which goes again."""
    first = up(daemon, "-v", "whole:/all")
    daemon.docker("exec", first, "mkdir", "/all/part")
    ref = made(daemon, "--mount", "type=volume,source=whole,target=/p,volume-subpath=part")

    daemon.api().containers.get(ref).put_archive("/p", tar_of(("x", b"in the part")))

    assert daemon.docker("exec", first, "cat", "/all/part/x").stdout == "in the part"
    assert not [mount for mount in daemon.mounts() if ref in mount]


def test_a_tmpfs_of_a_running_container_is_reached(daemon: Node, tmp_path: Path) -> None:
    """Its content exists in the container's own mounts alone."""
    ref = up(daemon, "--tmpfs", "/fast")
    (tmp_path / "file").write_text("quick")

    daemon.docker("cp", str(tmp_path / "file"), f"{ref}:/fast/")

    assert daemon.docker("exec", ref, "cat", "/fast/file").stdout == "quick"


def test_the_kernel_s_own_trees_are_left_out(daemon: Node, tmp_path: Path) -> None:
    """A copy of / of a running container ends, and holds no process files."""
    ref = up(daemon)

    found = names(daemon, ref, "/")

    assert "bin/busybox" in [name.lstrip("/") for name in found]
    assert not [name for name in found if name.lstrip("/").startswith(("proc/", "sys/"))]


def test_owners_are_the_tar_s_or_the_user_s(daemon: Node, box: str) -> None:
    """-a (copyUIDGID) gives files to the container's user."""
    container = daemon.api().containers.get(box)
    container.put_archive("/tmp", tar_of(("plain", b"x")))
    put(daemon, box, "path=/tmp&copyUIDGID=true", tar_of(("mine", b"x")))

    chunks, _ = container.get_archive("/tmp")
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        owners = {each.name: (each.uid, each.gid) for each in tar.getmembers()}

    assert (owners["tmp/plain"], owners["tmp/mine"]) == ((7, 7), (33, 33))


def test_stat_speaks_go(daemon: Node, box: str) -> None:
    """Modes are os.FileMode's bits; a link says where it ends inside."""
    container = daemon.api().containers.get(box)

    _, link = container.get_archive("/bin/sh")
    _, directory = container.get_archive("/tmp/")

    assert link is not None
    assert directory is not None
    assert (link["name"], link["linkTarget"]) == ("sh", "/bin/busybox")
    assert link["mode"] == 1 << 27 | 0o777
    assert (directory["name"], directory["mode"]) == ("tmp", 1 << 31 | 1 << 20 | 0o777)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/nope", 404, "Could not find the file /nope in container"),
        ("/etc/passwd", 400, "extraction point is not a directory"),
        ("/etc/passwd/", 400, "not a directory"),
    ],
)
def test_a_wrong_target_is_refused(
    daemon: Node, box: str, path: str, status: int, words: str
) -> None:
    """Nothing is written where no directory is."""
    with pytest.raises(APIError) as refused:
        daemon.api().containers.get(box).put_archive(path, tar_of(("x", b"x")))

    assert refused.value.status_code == status
    assert words in str(refused.value)


@pytest.mark.parametrize("make", [up, made], ids=["running", "created"])
def test_what_is_read_only_stays_as_it_is(daemon: Node, make: Callable[..., str]) -> None:
    """A read-only root and a read-only volume are told apart; a writable volume still takes."""
    ref = make(daemon, "--read-only", "-v", "/rw", "-v", "locked:/ro:ro")
    container = daemon.api().containers.get(ref)

    for path, words in (("/etc", "container rootfs is marked read-only"),
                        ("/ro", "mounted volume is marked read-only")):  # fmt: skip
        with pytest.raises(APIError) as refused:
            container.put_archive(path, tar_of(("x", b"x")))
        assert (refused.value.status_code, words in str(refused.value)) == (403, True)
    assert container.put_archive("/rw", tar_of(("x", b"x")))


def test_a_directory_is_not_replaced_by_a_file(daemon: Node, box: str) -> None:
    """The docker command asks for it with noOverwriteDirNonDir."""
    status, text = put(daemon, box, "path=/&noOverwriteDirNonDir=1", tar_of(("bin", b"a file")))

    assert (status, "cannot overwrite directory" in text) == (400, True)
    assert content(daemon, box, "/bin/busybox")


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_compressed_tars_are_taken(daemon: Node, box: str, kind: str) -> None:
    """Clients may send them as they have them."""
    plain = tar_of(("x", b"pressed"))
    packed = {
        "gz": gzip.compress(plain), "bz2": bz2.compress(plain), "xz": lzma.compress(plain),
    }[kind]  # fmt: skip

    daemon.api().containers.get(box).put_archive("/tmp", packed)

    assert content(daemon, box, "/tmp/x") == b"pressed"


@pytest.mark.parametrize(
    "members",
    [
        [("../../../escaped", b"x")],
        [("link", "/../../.."), ("link/escaped", b"x")],
        [("link", "../../../../../.."), ("link/escaped", b"x")],
        [("/escaped/../../../../escaped", b"x")],
    ],
)
def test_hostile_tars_stay_inside(
    daemon: Node, box: str, members: list[tuple[str, bytes | str]]
) -> None:
    """Whatever names and links say, nothing outside of the container is written."""
    try:
        daemon.api().containers.get(box).put_archive("/tmp", tar_of(*members))
    except APIError as error:
        assert error.status_code == 400  # noqa: PT017  (being refused is one of two good ends)

    assert not Path("/escaped").exists()
    assert not (daemon.root / "escaped").exists()
    assert daemon.docker("version").returncode == 0


def test_what_is_no_tar_is_refused(daemon: Node, box: str) -> None:
    """Garbage and a tar that breaks off are the client's fault: 400."""
    container = daemon.api().containers.get(box)
    for garbage in (b"\xff" * 4096, tar_of(("x", b"y" * 5000))[:2000]):
        with pytest.raises(APIError) as refused:
            container.put_archive("/tmp", garbage)
        assert refused.value.status_code == 400


def test_swapped_links_lead_nowhere(daemon: Node, tmp_path: Path) -> None:
    """A container that exchanges a directory for a link in a loop gets nothing of the host."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("the host's")
    script = (
        "mkdir -p /w/real; echo mine > /w/real/key; cd /w; "
        f"while :; do ln -s {secret} l; mv -T l d 2>/dev/null; rm -rf d; cp -r real d; rm -rf d; "
        "done"
    )
    ref = daemon.docker("run", "-d", "--network", "none", "busybox", "sh", "-c", script).stdout
    container = daemon.api().containers.get(ref.strip())

    seen = set()
    for round_ in range(150):
        try:
            container.put_archive("/w/d", tar_of(("planted", b"evil")))
        except APIError as error:
            assert error.status_code in {400, 404, 500}  # noqa: PT017  (losing the race is fine)
        try:
            seen.add(content(daemon, ref.strip(), "/w/d/key") if round_ % 2 else b"")
        except (APIError, AssertionError, RequestException, tarfile.TarError, IndexError):
            continue

    assert os.listdir(secret) == ["key"]
    assert b"the host's" not in seen


def test_a_client_that_leaves_ends_the_copy(daemon: Node) -> None:
    """The helper goes with the client, and the container can be started at once."""
    ref = made(daemon)
    client = daemon.api()
    chunks, _ = client.containers.get(ref).get_archive("/bin", chunk_size=1024)
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]  # a generator
    client.close()

    daemon.docker("start", ref)

    assert daemon.inspect(ref)["State"]["Running"] is True  # type: ignore[index]  # JSON


def test_export_is_the_tree_without_mounts(daemon: Node, box: str, tmp_path: Path) -> None:
    """Links and modes are kept; what is mounted is not in it."""
    daemon.api().containers.get(box).put_archive("/data", tar_of(("inside", b"x")))

    daemon.docker("export", "-o", str(tmp_path / "tree.tar"), box)

    with tarfile.open(tmp_path / "tree.tar") as tar:
        members = {each.name: each for each in tar.getmembers()}
    assert members["bin/sh"].linkname == "busybox"
    assert members["tmp"].mode == 0o1777
    assert "data/inside" not in members


def test_diff_tells_added_changed_deleted(daemon: Node) -> None:
    """What the engine itself makes to mount on is no change."""
    ref = up(daemon)
    assert daemon.docker("diff", ref).stdout == ""
    daemon.docker("exec", ref, "sh", "-c",
                  "rm /etc/group; echo >> /etc/passwd; mkdir -p /n/d; touch /n/d/f; rm -r /var; "
                  "mkdir /var; touch /var/x")  # fmt: skip

    found = daemon.docker("diff", ref).stdout.splitlines()

    assert found == ["C /etc", "D /etc/group", "C /etc/passwd", "A /n", "A /n/d", "A /n/d/f",
                     "C /var", "A /var/x"]  # fmt: skip


def test_commit_makes_an_image_of_the_changes(daemon: Node) -> None:
    """The image runs, lacks what was deleted, and says how it was made."""
    ref = up(daemon)
    daemon.docker(
        "exec", ref, "sh", "-c", "rm /etc/group; echo made > /new; rm -r /var; mkdir /var"
    )

    image = daemon.docker(
        "commit", "-a", "somebody", "-m", "why", "-c", "ENV A=b", "-c", 'CMD ["cat", "/new"]',
        ref, "committed:1",
    ).stdout.strip()  # fmt: skip

    assert daemon.docker("run", "--rm", "--network", "none", "committed:1").stdout == "made\n"
    listed = daemon.docker("run", "--rm", "--network", "none", image, "ls", "/etc").stdout
    assert "group" not in listed
    inspected = json.loads(daemon.docker("image", "inspect", image).stdout)[0]
    assert (inspected["Author"], inspected["Comment"]) == ("somebody", "why")
    assert len(inspected["RootFS"]["Layers"]) == 2
    assert "A=b" in inspected["Config"]["Env"]
    history = daemon.docker("history", "--format", "{{.Comment}}", image).stdout.splitlines()
    assert history[0] == "why"
    state = daemon.inspect(ref)["State"]
    assert state["Status"] == "running"  # type: ignore[index]  # JSON
    daemon.docker("rmi", "committed:1")


def test_commit_of_nothing_adds_no_layer(daemon: Node) -> None:
    """As Docker: the step is in the history, with no layer."""
    ref = made(daemon)

    image = daemon.docker("commit", ref).stdout.strip()

    inspected = json.loads(daemon.docker("image", "inspect", image).stdout)[0]
    assert len(inspected["RootFS"]["Layers"]) == 1
    daemon.docker("rmi", image)


def test_nothing_is_left_mounted(daemon: Node, tmp_path: Path) -> None:
    """After copies of a container at rest no mount and no process of theirs remains."""
    ref = made(daemon, "-v", "/data")
    (tmp_path / "f").write_text("x")

    workers = [
        threading.Thread(target=daemon.docker, args=("cp", f"{tmp_path}/f", f"{ref}:/data"))
        for _ in range(4)
    ]
    for each in workers:
        each.start()
    for each in workers:
        each.join()

    assert daemon.leftovers()["mounts"] == []
    daemon.docker("rm", "-v", ref)
    assert daemon.leftovers()["roots"] == []
