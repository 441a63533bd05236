#!/usr/bin/env bash
# Install the programs that Skep stands on, where they are missing.
#   system_packages.sh run     what the daemon needs; exits 1 naming what is missing
#   system_packages.sh test    these, and what the tests start; missing ones are only told
#   system_packages.sh bench   these, and what the measurements start
# Installs through apt as root; elsewhere it says which packages to install.
set -euo pipefail

purpose=${1:-run}
missing=()

need() { # need PACKAGE TEST...: note the package unless the test command succeeds
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}
has() { command -v "$1"; }
has_library() { # some ldconfig is only on root's path
    /sbin/ldconfig -p | grep -F "$1"
}
is_static_busybox() { [ -x /bin/busybox ] && ! ldd /bin/busybox 2>/dev/null | grep -F '=>'; }
has_init() { has docker-init || has tini || has catatonit; }

need runc has runc
need conmon has conmon
need nftables has nft
need libnftables1 has_library libnftables.so.1
need iproute2 has ip
need procps has ps
need busybox-static is_static_busybox
need tini has_init
need curl has curl
need ca-certificates test -d /etc/ssl/certs
has_server() { has "$1" || [ -x "/usr/sbin/$1" ]; }
if [ "$purpose" = bench ]; then
    need wrk has wrk
    need iperf3 has iperf3
    need nginx-light has_server nginx
fi
if [ "$purpose" != run ]; then
    need crun has crun
    need docker-registry has docker-registry
    need skopeo has skopeo
    need apache2-utils has htpasswd
    need openssl has openssl
    need docker-compose has docker-compose
    need iptables has iptables
    need git has git
fi
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    # A registry or web server that a package would start is not wanted running.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null 2>&1 || {
        apt-get update -q
        apt-get install -y -q --no-install-recommends "${missing[@]}"
    }
    exit 0
fi

{
    echo "These Debian/Ubuntu packages are missing: ${missing[*]}"
    echo "Install them as root:  apt-get install ${missing[*]}"
} >&2
if [ "$purpose" != run ]; then
    echo "Going on without them: what needs them will be skipped." >&2
    exit 0
fi
exit 1
