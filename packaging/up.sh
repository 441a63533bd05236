#!/usr/bin/env bash
# Start a node in the background and show that it works.
#   SKEP_SOCKET   where to listen, /run/skep.sock by default
#   SKEP_FLAGS    more flags for the daemon
#   SKEP_STATE    where its pid and log go, build/ by default
#   SYSTEMD=1     as a systemd service that also starts at boot
set -euo pipefail
cd "$(dirname "$0")/.."

socket=${SKEP_SOCKET:-/run/skep.sock}
state=${SKEP_STATE:-build}
log=$state/skep.log
pidfile=$state/skep.pid

if [ "$(id -u)" -ne 0 ]; then
    echo "A container engine needs root: sudo make up" >&2
    exit 1
fi

answers() { curl -sf --max-time 5 --unix-socket "$socket" http://skep/_ping >/dev/null; }

start_service() {
    sed "s|^ExecStart=[^ ]*|ExecStart=$PWD/.venv/bin/skep|" packaging/skep.service \
        >/etc/systemd/system/skep.service
    systemctl daemon-reload
    systemctl enable --now skep.service
}

start_in_background() {
    mkdir -p "$state"
    # A descriptor per client and more per container; what the limit allows at most.
    ulimit -n "$(ulimit -Hn)"
    # shellcheck disable=SC2086 # flags are words
    setsid nohup .venv/bin/skep daemon --host "unix://$socket" ${SKEP_FLAGS:-} \
        >>"$log" 2>&1 </dev/null &
    echo $! >"$pidfile"
}

if answers; then
    echo "A node answers on $socket already."
else
    if [ "${SYSTEMD:-}" = 1 ]; then start_service; else start_in_background; fi
    for _ in $(seq 100); do
        answers && break
        if [ -z "${SYSTEMD:-}" ] && ! kill -0 "$(cat "$pidfile")" 2>/dev/null; then
            echo "The daemon ended. Its last words:" >&2
            tail -n 20 "$log" >&2
            exit 1
        fi
        sleep 0.1
    done
    answers || {
        echo "The daemon does not answer on $socket; see $log" >&2
        exit 1
    }
fi

packaging/demonstration.sh "$socket"
