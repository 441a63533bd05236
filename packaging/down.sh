#!/usr/bin/env bash
# Stop the node that up.sh started, and take away what it left in the kernel.
#   PURGE=1   delete its data too: images, containers, volumes
# Other settings as for up.sh; with flags that move data-root or exec-root, set these as well:
#   SKEP_DATA_ROOT, SKEP_EXEC_ROOT, SKEP_BRIDGE, SKEP_TABLE
set -euo pipefail
cd "$(dirname "$0")/.."

socket=${SKEP_SOCKET:-/run/skep.sock}
data_root=${SKEP_DATA_ROOT:-/var/lib/skep}
exec_root=${SKEP_EXEC_ROOT:-/run/skep}
bridge=${SKEP_BRIDGE:-skep0}
table=${SKEP_TABLE:-skep}
pidfile=${SKEP_STATE:-build}/skep.pid

if [ "$(id -u)" -ne 0 ]; then
    echo "The node runs as root: sudo make down" >&2
    exit 1
fi

api() { curl -sf --max-time 30 --unix-socket "$socket" "$@"; }

stop_containers() { # with live restore they would go on without the daemon
    local id
    for id in $(api http://skep/containers/json | tr '{' '\n' |
        sed -n 's/.*"Id":"\([0-9a-f]\{64\}\)".*/\1/p'); do
        api -X POST "http://skep/containers/$id/stop?t=5" >/dev/null || true
    done
}

our_bridges() { # the default one, and those of networks that users made
    echo "$bridge"
    if [ -S "$socket" ]; then
        api http://skep/networks | tr '{,' '\n\n' |
            sed -n -e 's/^"Id":"\([0-9a-f]\{12\}\).*/br-\1/p' \
                -e 's/.*"com\.docker\.network\.bridge\.name":"\([^"]*\)".*/\1/p' || true
    fi
}

forget_bridge() { # the link, and the accept rules for it in the chains of others
    ip link delete "$1" 2>/dev/null || true
    nft -a list ruleset 2>/dev/null | awk -v bridge="\"$1\"" '
        $1 == "table" { family = $2; table = $3 }
        $1 == "chain" { chain = $2 }
        ($1 == "iifname" || $1 == "oifname") && $2 == bridge && $3 == "counter" &&
            / accept # handle [0-9]+$/ {
            print "delete rule", family, table, chain, "handle", $NF
        }' | nft -f - 2>/dev/null || true
}

stop_daemon() {
    local pid
    if [ "$socket" = /run/skep.sock ] && [ -e /etc/systemd/system/skep.service ]; then
        systemctl disable --now skep.service || true
        rm -f /etc/systemd/system/skep.service
        systemctl daemon-reload || true
    fi
    [ -e "$pidfile" ] || return 0
    pid=$(cat "$pidfile")
    # A pid may have gone to somebody else meanwhile: look before killing.
    if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q 'skep daemon'; then
        kill -TERM "$pid"
        for _ in $(seq 200); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null || true
    fi
    rm -f "$pidfile"
}

stop_monitors() { # monitors whose directory is below ours, and through them their containers
    local entry pid child
    for entry in /proc/[0-9]*; do
        pid=${entry#/proc/}
        if [ "$(cat "$entry/comm" 2>/dev/null)" = conmon ] &&
            tr '\0' '\n' <"$entry/cmdline" 2>/dev/null | grep -q "^$exec_root/"; then
            for child in $(cat "$entry/task/$pid/children" 2>/dev/null); do
                kill -KILL "$child" 2>/dev/null || true
            done
        fi
    done
}

mounts_below() { # deepest first
    awk -v below="$1/" 'index($5, below) == 1 {print $5}' /proc/self/mountinfo | sort -r
}

unmount_below() {
    local point
    mounts_below "$1" | while read -r point; do
        umount -l "$(printf '%b' "$point")" 2>/dev/null || true
    done
}

delete() { # never through a mount: a volume may show a directory of the host's
    if [ -n "$(mounts_below "$1")" ]; then
        echo "$1 is not deleted: something is still mounted below it:" >&2
        mounts_below "$1" >&2
        exit 1
    fi
    rm -rf --one-file-system "$1"
}

bridges=$(our_bridges)
if [ -S "$socket" ]; then stop_containers || true; fi
stop_daemon
stop_monitors
unmount_below "$exec_root"
unmount_below "$data_root"
nft delete table inet "$table" 2>/dev/null || true
for name in $bridges; do forget_bridge "$name"; done
delete "$exec_root"
rm -f "$socket"
if [ "${PURGE:-}" = 1 ]; then
    delete "$data_root"
    echo "The node is down and its data deleted."
else
    echo "The node is down. Its data is kept in $data_root (make down PURGE=1 deletes it)."
fi
