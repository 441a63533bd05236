#!/usr/bin/env bash
# Print the path of a docker command. Where there is none on PATH, take the client out of Debian's
# package into build/, without installing the daemon that comes with it. Exits 1 when there is no way.
set -euo pipefail
cd "$(dirname "$0")/.."

if command -v docker; then exit 0; fi
taken=$PWD/build/docker-cli/usr/bin/docker
if [ -x "$taken" ]; then
    echo "$taken"
    exit 0
fi
command -v apt-get >/dev/null && command -v dpkg >/dev/null || exit 1

mkdir -p build/docker-cli
cd build/docker-cli
# Newer releases have the client apart; in older ones it is in the daemon's package.
for package in docker-cli docker.io; do
    apt-get download -q "$package" >/dev/null 2>&1 ||
        { [ "$(id -u)" -eq 0 ] && apt-get update -q >/dev/null 2>&1 &&
            apt-get download -q "$package" >/dev/null 2>&1; } || continue
    dpkg -x ./"$package"_*.deb .
    rm -f ./"$package"_*.deb
    [ -x "$taken" ] && break
done
[ -x "$taken" ] || exit 1
echo "$taken"
