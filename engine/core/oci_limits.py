"""Resource limits of a container: what is refused, what is discarded, what the runtime gets.

Words and ranges are the reference's: clients show them as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from api.errors import InvalidArgument
from api.types.containers import HostConfig, ThrottleDevice, Ulimit
from engine.core.host_facts import Device, Facts
from engine.core.oci_devices import check_device_requests

_MIN_MEMORY = 6 << 20
_NANO = 1_000_000_000
_PERIOD_US = 100_000
_MAX_CPUSET = 8192
_ULIMITS = frozenset(
    [
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    ]
)
_CPUSET = re.compile(r"(\d{1,10}(-\d{1,10})?)?(,(\d{1,10}(-\d{1,10})?)?)*")
_MISSING = "Your kernel does not support {}. {} discarded."


def check_limits(host: HostConfig, facts: Facts) -> tuple[HostConfig, list[str]]:
    """Return the limits with defaults filled in and unsupported ones discarded, and warnings.

    Errors:  InvalidArgument in the reference's words.
    """
    warnings: list[str] = []
    host = _check_memory(host, facts, warnings)
    host = _check_swap(host, facts, warnings)
    host = _check_cpu(host, facts, warnings)
    host = _check_rest(host, facts, warnings)
    check_ulimits(host.Ulimits or [])
    check_device_requests(host.Devices or [], host.DeviceCgroupRules or [])
    return host, warnings


def check_ulimits(limits: Sequence[Ulimit]) -> None:
    """Raise InvalidArgument for an unknown name, or a soft limit above the hard one."""
    for limit in limits:
        if limit.Name not in _ULIMITS:
            raise InvalidArgument(f"invalid ulimit type: {limit.Name}")
        if limit.Hard != -1 and (limit.Soft == -1 or limit.Soft > limit.Hard):
            raise InvalidArgument(
                "ulimit soft limit must be less than or equal to hard limit: "
                f"{limit.Soft} > {limit.Hard}"
            )


def _check_memory(host: HostConfig, facts: Facts, warnings: list[str]) -> HostConfig:
    if host.Memory and host.Memory < _MIN_MEMORY:
        raise InvalidArgument("Minimum memory limit allowed is 6MB")
    if host.Memory and "memory" not in facts.controllers:
        warnings.append(
            "Your kernel does not support memory limit capabilities or the cgroup is not mounted. "
            "Limitation discarded."
        )
        host = replace(host, Memory=0, MemorySwap=-1)
    if host.MemoryReservation:
        if "memory" not in facts.controllers:
            warnings.append(
                "Your kernel does not support memory soft limit capabilities or the cgroup is not "
                "mounted. Limitation discarded."
            )
            host = replace(host, MemoryReservation=0)
        elif host.MemoryReservation < _MIN_MEMORY:
            raise InvalidArgument("Minimum memory reservation allowed is 6MB")
        elif 0 < host.Memory < host.MemoryReservation:
            raise InvalidArgument(
                "Minimum memory limit can not be less than memory reservation limit, see usage"
            )
    if host.OomKillDisable:
        if not facts.has_oom_kill_disable:
            warnings.append(_MISSING.format("OomKillDisable", "OomKillDisable"))
            host = replace(host, OomKillDisable=None)
        elif not host.Memory:
            warnings.append(
                "OOM killer is disabled for the container, but no memory limit is set, this can "
                "result in the system running out of resources."
            )
    return host


def _check_swap(host: HostConfig, facts: Facts, warnings: list[str]) -> HostConfig:
    if host.Memory > 0 and host.MemorySwap == 0:
        host = replace(host, MemorySwap=host.Memory * 2)
    if host.Memory > 0 and host.MemorySwap != -1 and not facts.has_swap_limit:
        warnings.append(
            "Your kernel does not support swap limit capabilities or the cgroup is not mounted. "
            "Memory limited without swap."
        )
        host = replace(host, MemorySwap=-1)
    if host.Memory > 0 and 0 < host.MemorySwap < host.Memory:
        raise InvalidArgument(
            "Minimum memoryswap limit should be larger than memory limit, see usage"
        )
    if host.Memory == 0 and host.MemorySwap > 0:
        raise InvalidArgument(
            "You should always set the Memory limit when using Memoryswap limit, see usage"
        )
    if host.MemorySwappiness == -1:
        host = replace(host, MemorySwappiness=None)
    if host.MemorySwappiness is not None:
        if not 0 <= host.MemorySwappiness <= 100:
            raise InvalidArgument(
                f"Invalid value: {host.MemorySwappiness}, valid memory swappiness range is 0-100"
            )
        if not facts.has_swappiness:
            warnings.append(
                "Your kernel does not support memory swappiness capabilities or the cgroup is not "
                "mounted. Memory swappiness discarded."
            )
            host = replace(host, MemorySwappiness=None)
    return host


def _check_cpu(host: HostConfig, facts: Facts, warnings: list[str]) -> HostConfig:
    if host.NanoCpus:
        for name, value in (("CPU Period", host.CpuPeriod), ("CPU Quota", host.CpuQuota)):
            if value:
                raise InvalidArgument(
                    f"Conflicting options: Nano CPUs and {name} cannot both be set."
                )
        if not _NANO // 100 <= host.NanoCpus <= facts.cpus * _NANO:
            raise InvalidArgument(
                f"Range of CPUs is from 0.01 to {facts.cpus}.00, "
                f"as there are only {facts.cpus} CPUs available"
            )
    if host.CpuPeriod and not 1000 <= host.CpuPeriod <= 1_000_000:
        raise InvalidArgument(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
        )
    if 0 < host.CpuQuota < 1000:
        raise InvalidArgument("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if "cpu" not in facts.controllers and (host.NanoCpus or host.CpuQuota or host.CpuShares):
        warnings.append(
            "Your kernel does not support CPU limits or the cgroup is not mounted. "
            "CPU limits discarded."
        )
        host = replace(host, NanoCpus=0, CpuQuota=0, CpuPeriod=0, CpuShares=0)
    _check_cpuset(host.CpusetCpus, facts.online_cpus, "cpus", "CPUs")
    _check_cpuset(host.CpusetMems, facts.online_mems, "mems", "memory nodes")
    return host


def _check_rest(host: HostConfig, facts: Facts, warnings: list[str]) -> HostConfig:
    if host.PidsLimit == 0:
        host = replace(host, PidsLimit=None)
    if host.PidsLimit and "pids" not in facts.controllers:
        warnings.append(
            "Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. "
            "PIDs limit discarded."
        )
        host = replace(host, PidsLimit=None)
    if host.BlkioWeight:
        if not 10 <= host.BlkioWeight <= 1000:
            raise InvalidArgument("Range of blkio weight is from 10 to 1000")
        if not facts.has_blkio_weight:
            warnings.append(
                "Your kernel does not support Block I/O weight or the cgroup is not mounted. "
                "Weight discarded."
            )
            host = replace(host, BlkioWeight=0)
    if not -1000 <= host.OomScoreAdj <= 1000:
        raise InvalidArgument(
            f"Invalid value {host.OomScoreAdj}, range for oom score adj is [-1000, 1000]"
        )
    if host.ShmSize < 0:
        raise InvalidArgument("SHM size can not be less than 0")
    return host


def _check_cpuset(text: str, available: frozenset[int], kind: str, words: str) -> None:
    if not text:
        return
    wanted = parse_cpuset(text)
    if wanted is None:
        raise InvalidArgument(f"Invalid value {text} for cpuset {kind}")
    if not wanted <= available:
        shown = format_cpuset(available)
        raise InvalidArgument(
            f"Requested {words} are not available - requested {text}, available: {shown}"
        )


def parse_cpuset(text: str) -> frozenset[int] | None:
    """Return the numbers of a list like "0-2,7"; None when malformed or beyond 8191.

    Ranges are bounded before they are expanded: "0-4294967295" costs nothing (CVE-2018-20699).
    """
    if len(text) > 4096 or not _CPUSET.fullmatch(text):
        return None
    numbers: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        low, high = int(first), int(last or first)
        if low > high or high >= _MAX_CPUSET:
            return None
        numbers.update(range(low, high + 1))
    return frozenset(numbers)


def format_cpuset(numbers: frozenset[int]) -> str:
    """Return numbers as a list with ranges: "0-2,7"."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


def build_resources(
    host: HostConfig, facts: Facts, block_devices: Mapping[str, Device]
) -> dict[str, Any]:
    """Return the limits in the runtime's form; what is 0 or unset is left out.

    `block_devices` has the device of every path that the block limits name.
    """
    return {
        name: part
        for name, part in (
            ("memory", _memory(host, facts)),
            ("cpu", _cpu(host)),
            ("pids", _pids(host)),
            ("blockIO", _block_io(host, block_devices)),
        )
        if part
    }


def _memory(host: HostConfig, facts: Facts) -> dict[str, Any]:
    part: dict[str, Any] = {}
    if host.Memory > 0:
        part["limit"] = host.Memory
        if host.MemorySwap and facts.has_swap_limit:
            part["swap"] = host.MemorySwap
    if host.MemoryReservation > 0:
        part["reservation"] = host.MemoryReservation
    if host.MemorySwappiness is not None:
        part["swappiness"] = host.MemorySwappiness
    if host.OomKillDisable:
        part["disableOOMKiller"] = True
    return part


def _cpu(host: HostConfig) -> dict[str, Any]:
    quota, period = host.CpuQuota, host.CpuPeriod
    if host.NanoCpus:
        period = _PERIOD_US
        quota = host.NanoCpus * period // _NANO
    part = {
        "shares": host.CpuShares,
        "quota": quota,
        "period": period,
        "realtimeRuntime": host.CpuRealtimeRuntime,
        "realtimePeriod": host.CpuRealtimePeriod,
        "cpus": host.CpusetCpus,
        "mems": host.CpusetMems,
    }
    return {name: value for name, value in part.items() if value}


def _pids(host: HostConfig) -> dict[str, Any]:
    if not host.PidsLimit:
        return {}
    return {"limit": host.PidsLimit if host.PidsLimit > 0 else -1}


def block_device_paths(host: HostConfig) -> list[str]:
    """Return the paths of devices that have a block limit of their own."""
    limited = (
        host.BlkioWeightDevice,
        host.BlkioDeviceReadBps,
        host.BlkioDeviceWriteBps,
        host.BlkioDeviceReadIOps,
        host.BlkioDeviceWriteIOps,
    )
    return [each.Path for devices in limited for each in devices or []]


def _block_io(host: HostConfig, block_devices: Mapping[str, Device]) -> dict[str, Any]:
    part: dict[str, Any] = {}
    if host.BlkioWeight:
        part["weight"] = host.BlkioWeight
    if host.BlkioWeightDevice:
        part["weightDevice"] = [
            _numbers(each.Path, block_devices) | {"weight": each.Weight}
            for each in host.BlkioWeightDevice
        ]
    throttles: tuple[tuple[str, list[ThrottleDevice] | None], ...] = (
        ("throttleReadBpsDevice", host.BlkioDeviceReadBps),
        ("throttleWriteBpsDevice", host.BlkioDeviceWriteBps),
        ("throttleReadIOPSDevice", host.BlkioDeviceReadIOps),
        ("throttleWriteIOPSDevice", host.BlkioDeviceWriteIOps),
    )
    for name, devices in throttles:
        numbers = [
            _numbers(each.Path, block_devices) | {"rate": each.Rate} for each in devices or []
        ]
        if numbers:
            part[name] = numbers
    return part


def _numbers(path: str, block_devices: Mapping[str, Device]) -> dict[str, int]:
    device = block_devices.get(path)
    if device is None:
        raise InvalidArgument(f"no such device: {path}")
    return {"major": device.major, "minor": device.minor}
