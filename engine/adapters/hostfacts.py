"""The kernel's abilities and the host's devices, read from /proc, /sys and /dev."""

from __future__ import annotations

import asyncio
import ctypes
import os
import platform
import re
import stat
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from api.errors import InvalidArgument
from engine.adapters.cdi_files import read_specs
from engine.core.capabilities import ALL
from engine.core.cdi import CdiSpec
from engine.core.host_facts import Device, Facts
from engine.core.oci_limits import parse_cpuset

_CGROUP = Path("/sys/fs/cgroup")
# Capabilities by their numbers in the kernel's headers.
_NUMBERED = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
    "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO "
    "SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME "
    "SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG "
    "WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
_SKIPPED = frozenset({"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console"})
_V2_NAMES = {"io": "blkio"}
_X32_GETPID = 0x40000000 | 39
_GONE = "error gathering device information while adding custom device"


class KernelFacts:
    """Fulfils `HostFacts`."""

    def facts(self) -> Facts:
        """Return what holds while the daemon runs; read once, cheap afterwards."""
        return self._facts

    async def devices(self) -> Sequence[Device]:
        """Return every device node below /dev, for a privileged container."""
        return await asyncio.to_thread(_below, "/dev")

    async def device(self, path: str) -> Sequence[Device]:
        """Return the device at a host path, or all devices below a directory."""
        return await asyncio.to_thread(_device, path)

    async def device_specs(self, directories: Sequence[Path]) -> Sequence[CdiSpec]:
        """Return the specifications of devices in these directories, the strongest last."""
        return await asyncio.to_thread(read_specs, directories)

    async def propagation(self, path: str) -> str:
        """Return how the mount that holds a path spreads: shared, slave or private."""
        return await asyncio.to_thread(_propagation, path)

    @cached_property
    def _facts(self) -> Facts:
        return read_facts()


def read_facts() -> Facts:
    """Return the facts of this machine, as this process may use them."""
    unified = (_CGROUP / "cgroup.controllers").exists()
    capabilities = _capabilities()
    return Facts(
        cgroup_version=2 if unified else 1,
        controllers=_controllers(unified=unified),
        capabilities=capabilities,
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        kernel=_kernel(),
        architecture=platform.machine(),
        has_swap_limit=_has_swap_limit(unified=unified),
        has_swappiness=not unified and (_CGROUP / "memory/memory.swappiness").exists(),
        has_oom_kill_disable=not unified and (_CGROUP / "memory/memory.oom_control").exists(),
        has_blkio_weight=_has_blkio_weight(unified=unified),
        has_seccomp="Seccomp" in _status(),
        has_x32=_has_x32(),
        has_apparmor=_read("/sys/module/apparmor/parameters/enabled").startswith("Y"),
        has_cgroup_namespace=Path("/proc/self/ns/cgroup").exists(),
        # Groups are made in the file system on every host: asking systemd costs a round trip each.
        has_systemd_cgroups=False,
        has_ipv6=Path("/proc/sys/net/ipv6").is_dir(),
        may_raise_limits="CAP_SYS_RESOURCE" in capabilities,
        oom_score_adj=int(_read("/proc/self/oom_score_adj") or 0),
        online_cpus=_numbers("/sys/devices/system/cpu/online"),
        online_mems=_numbers("/sys/devices/system/node/online"),
        thermal_cpus=_thermal_cpus(),
    )


def _capabilities() -> frozenset[str]:
    bounding = int(_status().get("CapBnd", "0"), 16) & int(_status().get("CapEff", "0"), 16)
    names = (f"CAP_{name}" for name in _NUMBERED.split())
    held = {name for number, name in enumerate(names) if bounding >> number & 1}
    return frozenset(held & set(ALL))


def _controllers(*, unified: bool) -> frozenset[str]:
    if unified:
        names = _read(_CGROUP / "cgroup.controllers").split()
        # Devices and the freezer are no controllers there, and always at hand.
        return frozenset({_V2_NAMES.get(name, name) for name in names} | {"devices", "freezer"})
    lines = _read("/proc/self/cgroup").splitlines()
    return frozenset(
        name
        for line in lines
        for name in line.split(":")[1].split(",")
        if name and "=" not in name and (_CGROUP / name).is_dir()
    )


def _has_swap_limit(*, unified: bool) -> bool:
    if not unified:
        return (_CGROUP / "memory/memory.memsw.limit_in_bytes").exists()
    own = _read("/proc/self/cgroup").strip().rpartition(":")[2]
    return (_CGROUP / own.lstrip("/") / "memory.swap.max").exists() or any(
        _CGROUP.glob("*/memory.swap.max")
    )


def _has_blkio_weight(*, unified: bool) -> bool:
    if unified:
        return any(_CGROUP.glob("*/io.weight")) or any(_CGROUP.glob("*/io.bfq.weight"))
    return any((_CGROUP / "blkio" / name).exists() for name in ("blkio.weight", "blkio.bfq.weight"))


def _kernel() -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", platform.release())
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _has_x32() -> bool:
    """Ask for our pid by the x32 ABI's number; a kernel without that ABI knows no such call."""
    if platform.machine() != "x86_64":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.syscall(_X32_GETPID) == os.getpid())


def _thermal_cpus() -> tuple[int, ...]:
    found = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle")
    return tuple(sorted(int(path.parent.name[3:]) for path in found))


def _numbers(path: str) -> frozenset[int]:
    return parse_cpuset(_read(path).strip()) or frozenset({0})


def _status() -> dict[str, str]:
    lines = _read("/proc/self/status").splitlines()
    return {line.partition(":")[0]: line.partition(":")[2].strip() for line in lines}


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _device(path: str) -> list[Device]:
    try:
        resolved = os.path.realpath(path, strict=True)
        found = os.stat(resolved)
    except OSError as error:
        words = (error.strerror or "").lower()
        raise InvalidArgument(f'{_GONE} "{path}": {words}') from error
    if stat.S_ISDIR(found.st_mode):
        below = _below(resolved)
        return [_renamed(each, path + each.path.removeprefix(resolved)) for each in below]
    node = _node(path, found)
    if node is None:
        raise InvalidArgument(f'{_GONE} "{path}": not a device node')
    return [node]


def _below(directory: str) -> list[Device]:
    devices: list[Device] = []
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError:
        return devices
    for entry in entries:
        if entry.name in _SKIPPED:
            continue
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if stat.S_ISDIR(found.st_mode):
            devices += _below(entry.path)
        elif (node := _node(entry.path, found)) is not None:
            devices.append(node)
    return devices


def _node(path: str, found: os.stat_result) -> Device | None:
    if stat.S_ISCHR(found.st_mode):
        kind = "c"
    elif stat.S_ISBLK(found.st_mode):
        kind = "b"
    else:
        return None
    numbers = os.major(found.st_rdev), os.minor(found.st_rdev)
    mode = stat.S_IMODE(found.st_mode)
    return Device(path, kind, *numbers, mode, found.st_uid, found.st_gid)


def _renamed(device: Device, path: str) -> Device:
    return Device(
        path, device.kind, device.major, device.minor, device.mode, device.uid, device.gid
    )


def _propagation(path: str) -> str:
    best, answer = -1, "private"
    for line in _read("/proc/self/mountinfo").splitlines():
        fields = line.split()
        place = fields[4].encode().decode("unicode_escape")
        inside = place in {"/", path} or path.startswith(place + "/")
        if inside and len(place) >= best:
            best = len(place)
            optional = fields[6 : fields.index("-")]
            answer = next(
                (
                    kind
                    for kind in ("shared", "master")
                    if any(o.startswith(kind) for o in optional)
                ),
                "private",
            )
    return "slave" if answer == "master" else answer
