#!/usr/bin/env bash
# Make .venv with Skep and the pinned packages of constraints.txt; quick when nothing changed.
#   environment.sh run    what the daemon needs
#   environment.sh dev    also what tests and lint need
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-run}
venv=.venv

is_fit() { # a Python that is new enough and can make environments
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    local name
    for name in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if [ -n "$name" ] && command -v "$name" >/dev/null && is_fit "$name"; then
            echo "$name"
            return
        fi
    done
    return 1
}

install_python() {
    local version package
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        return 1
    fi
    # The distribution's own Python, or a newer one beside it where that is older than 3.11.
    for package in python3-venv python3.13-venv python3.12-venv python3.11-venv; do
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$package" \
            >/dev/null 2>&1 || continue
        find_python && return
    done
    return 1
}

stamp() { # what the environment was made from
    cat pyproject.toml constraints.txt | sha256sum | cut -c1-16
}

wanted=$(stamp)
if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c '' 2>/dev/null; then
    if [ "$(cat "$venv/.skep-dev" 2>/dev/null)" = "$wanted" ]; then exit 0; fi
    if [ "$purpose" = run ] && [ "$(cat "$venv/.skep-run" 2>/dev/null)" = "$wanted" ]; then exit 0; fi
else
    python=$(find_python || install_python) || {
        echo "Skep needs Python 3.11 or newer with venv and ensurepip:" >&2
        echo "  apt-get install python3-venv      (Ubuntu 22.04: python3.11-venv)" >&2
        echo "or name one:  make up PYTHON=/path/to/python3.12" >&2
        exit 1
    }
    echo "Making $venv with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi

extra=
[ "$purpose" = dev ] && extra='[dev]'
echo "Installing Skep${extra} and its packages"
"$venv/bin/python" -m pip install -q --disable-pip-version-check -c constraints.txt -e ".$extra"
echo "$wanted" >"$venv/.skep-$purpose"
