#!/usr/bin/env bash
# Run tests in a small virtual machine with Debian's kernel: for what this machine's kernel lacks
# (IPsec ESP, cgroup v2, other interfaces). Installs nothing: packages that are missing are
# downloaded and unpacked below $VM_CACHE. The machine sees this one's root directory, read-only,
# below a layer in memory; it has no network but its own.
#   vm_tests.sh [ARGS...]       pytest with these arguments; encrypted networks without any
#   vm_tests.sh --shell 'CMD'   a command of bash in place of pytest
#   VM_CACHE    where packages go, build/vm by default
#   VM_CPUS     2     VM_MEMORY   3G     VM_LIMIT    seconds until it is given up, 1800
#   VM_ACCEL    kvm or tcg; kvm where the processor says that it has it. tcg is 10-20 times slower.
# Needs Debian or Ubuntu, root, and busybox-static.
set -euo pipefail
cd "$(dirname "$0")/.."

repository=$PWD
cache=$(realpath -m "${VM_CACHE:-build/vm}")
cpus=${VM_CPUS:-2}
memory=${VM_MEMORY:-3G}
limit=${VM_LIMIT:-1800}
default_tests=(tests/root/test_overlay_encryption.py tests/cluster/test_encrypted_networks.py)

complain() {
    echo "$*" >&2
    exit 1
}

check_machine() {
    [ "$(id -u)" -eq 0 ] || complain "The machine's root directory is this one's: it needs root."
    command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
        complain "Packages are taken from Debian or Ubuntu, by apt-get and dpkg."
    command -v busybox >/dev/null || complain "Missing: busybox-static"
    case $repository in
        /tmp/* | /run/*) complain "In the machine $repository would be hidden by a fresh directory." ;;
    esac
    [ -x .venv/bin/python ] || complain "Missing: .venv (packaging/environment.sh dev)"
}

unpack() { # unpack TARGET PACKAGE...: download packages and unpack them there
    local target=$1 package
    shift
    mkdir -p "$cache/debs" "$target"
    (cd "$cache/debs" && apt-get download -q "$@" >/dev/null 2>&1) ||
        { apt-get update -q >/dev/null && (cd "$cache/debs" && apt-get download -q "$@" >/dev/null); }
    for package in "$cache"/debs/*.deb; do
        dpkg -x "$package" "$target"
    done
    rm -rf "$cache/debs"
}

fetch_kernel() {
    local package
    [ -e "$cache/kernel/.whole" ] && return
    echo "Fetching a kernel"
    package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p')
    rm -rf "$cache/kernel"
    unpack "$cache/kernel" "$package"
    # On systems with one /usr the modules are there.
    [ -d "$cache/kernel/lib/modules" ] || mv "$cache/kernel/usr/lib" "$cache/kernel/lib"
    version=$(basename "$cache"/kernel/lib/modules/*)
    (cd "$cache/kernel" && busybox depmod -b "$cache/kernel" "$version")
    touch "$cache/kernel/.whole"
}

fetch_qemu() {
    command -v qemu-system-x86_64 >/dev/null && return
    if [ ! -e "$cache/qemu/.whole" ]; then
        echo "Fetching qemu"
        rm -rf "$cache/qemu"
        # shellcheck disable=SC2046 # names of packages are words
        unpack "$cache/qemu" $(apt-get install -s --no-install-recommends qemu-system-x86 |
            awk '/^Inst/ { print $2 }')
        touch "$cache/qemu/.whole"
    fi
}

qemu() {
    local found=$cache/qemu/usr
    if command -v qemu-system-x86_64 >/dev/null; then
        qemu-system-x86_64 "$@"
    else
        LD_LIBRARY_PATH=$found/lib/x86_64-linux-gnu:$cache/qemu/lib/x86_64-linux-gnu \
            "$found/bin/qemu-system-x86_64" -L "$found/share/qemu" -L "$found/share/seabios" "$@"
    fi
}

make_first_root() { # what mounts the real root: busybox, the modules it takes, and a script
    local root=$cache/first modules=$cache/kernel/lib/modules/$version module
    rm -rf "$root"
    mkdir -p "$root/bin" "$root/lib/modules/$version"
    cp "$(command -v busybox)" "$root/bin/busybox"
    cp "$modules"/modules.{dep,alias,symbols} "$root/lib/modules/$version/"
    for module in virtio_pci 9pnet_virtio 9p overlay; do
        grep -E "/$module\.ko:" "$modules/modules.dep"
    done | tr ':' ' ' | xargs -n1 | sort -u | while read -r module; do
        install -D "$modules/$module" "$root/lib/modules/$version/$module"
    done
    cat >"$root/init" <<'INIT'
#!/bin/busybox sh
set -e
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /proc /lower /upper /new
mount -t proc proc /proc
for module in virtio_pci 9pnet_virtio 9p overlay; do modprobe $module; done
share() { mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,$3 $1 $2; }
share root /lower ro,cache=loose
mount -t tmpfs -o size=80% layer /upper
mkdir /upper/up /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/up,workdir=/upper/work root /new
for directory in tmp run dev/shm; do
    mkdir -p /new/$directory
    mount -t tmpfs $directory /new/$directory
done
mkdir -p /new/lib/modules /new/run/vm
share modules /new/lib/modules ro,cache=loose
share vm /new/run/vm rw
[ -e /new/sbin/modprobe ] || ln -s /bin/busybox /new/sbin/modprobe
umount /proc
exec switch_root /new /bin/bash /run/vm/start
INIT
    chmod 755 "$root/init"
    (cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 >"$cache/first.gz")
}

write_start() { # the first process on the real root; standard input says what it runs
    shared=$(mktemp -d "$cache/run-XXXXXX")
    trap 'rm -rf "$shared"' EXIT
    cat >"$shared/start" <<'START'
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts
ln -sf pts/ptmx /dev/ptmx
mount -t tmpfs -o mode=1777 shm /dev/shm
chmod 1777 /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
# As systemd does: controllers for all groups below, and nobody in the topmost.
echo '+cpu +cpuset +io +memory +pids' >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/system.slice
echo $$ >/sys/fs/cgroup/system.slice/cgroup.procs
mount -t bpf bpf /sys/fs/bpf 2>/dev/null
ln -sf /proc/self/fd /dev/fd
ip link set lo up
hostname skep-vm
ulimit -n 65536
( . /run/vm/command )
echo $? >/run/vm/status
sync
busybox poweroff -f
START
    cat >"$shared/command"
}

accelerator() {
    if [ -n "${VM_ACCEL:-}" ]; then
        echo "$VM_ACCEL"
    elif [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then
        echo kvm
    else
        echo tcg
    fi
}

# For an emulated machine; together they halve the time that Python takes to start.
#   erms, fsrm off      a copy by one instruction is emulated byte by byte
#   mitigations         leaks of speculation, which nothing here does
#   tsc                 the only clock that is read without leaving the guest
#   no_timer_check      where this machine is busy, an emulated timer is late, not missing
emulated_cpu=max,erms=off,fsrm=off
emulated_kernel="mitigations=off clocksource=tsc tsc=reliable no_timer_check"

boot() {
    local accel cpu=$emulated_cpu kernel=$emulated_kernel
    accel=$(accelerator)
    if [ "$accel" = kvm ]; then
        cpu=host
        kernel=
    fi
    timeout --foreground "$limit" \
        bash -c "$(declare -f qemu); cache='$cache'; qemu \"\$@\"" qemu \
        -accel "$accel" -cpu "$cpu" -smp "$cpus" -m "$memory" -nographic -no-reboot -nic none \
        -kernel "$cache"/kernel/boot/vmlinuz-* -initrd "$cache/first.gz" \
        -append "console=ttyS0 quiet panic=-1 edd=off $kernel" \
        -virtfs "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap" \
        -virtfs "local,path=$cache/kernel/lib/modules,mount_tag=modules,security_model=none,readonly=on" \
        -virtfs "local,path=$shared,mount_tag=vm,security_model=none" </dev/null || true
}

check_machine
fetch_kernel
fetch_qemu
version=$(basename "$cache"/kernel/lib/modules/*)
make_first_root
# Here it takes seconds, there minutes.
.venv/bin/python -m compileall -q api protos engine manager agent tests || true
docker=$(packaging/docker_cli.sh || true)
if [ "${1:-}" = --shell ]; then
    write_start <<<"cd '$repository'; $2"
else
    [ $# -gt 0 ] || set -- "${default_tests[@]}"
    patience=1
    [ "$(accelerator)" = tcg ] && patience=10
    write_start <<<"cd '$repository'; export PATH=$(dirname "${docker:-/bin/docker}"):\$PATH
export SKEP_TEST_PATIENCE=${SKEP_TEST_PATIENCE:-$patience}
.venv/bin/pytest -p no:cacheprovider -o timeout=$((120 * patience)) $(printf '%q ' "$@")"
fi
boot
status=$(cat "$shared/status" 2>/dev/null || echo 1)
exit "$status"
