"""Make sense of the kernel's counters of a container, on both versions of the control groups.

Source:  Engine API 1.56, ContainerStatsResponse; which file becomes which field is the
reference's, so that what clients compute from them agrees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import UNSET, Struct

from api.types.stats import (
    BlkioStatEntry,
    BlkioStats,
    CpuStats,
    CpuUsage,
    MemoryStats,
    NetworkStats,
    PidsStats,
    ThrottlingData,
)

_TICK_NS = 10_000_000
_US_NS = 1000
# user nice system idle iowait irq softirq
_CPU_FIELDS = 7
_NO_LIMIT = (1 << 64) - 1


class Sample(Struct, frozen=True, kw_only=True):
    """The counters at one moment, since the epoch."""

    read_ns: int
    cpu: CpuStats
    memory: MemoryStats
    pids: PidsStats
    blkio: BlkioStats
    networks: dict[str, NetworkStats]


def make_sample(
    *,
    version: int,
    files: Mapping[str, str],
    net_dev: str,
    cpu_stat: str,
    read_ns: int,
    machine_bytes: int,
) -> Sample:
    """Return a sample from the texts of the kernel's files; what is missing counts as nothing."""
    cpu, memory, blkio = (_cpu_v2, _memory_v2, _blkio_v2) if version == 2 else _V1
    system_ns, online = _machine_cpu(cpu_stat)
    used, throttled = cpu(files)
    return Sample(
        read_ns=read_ns,
        cpu=CpuStats(
            cpu_usage=used,
            system_cpu_usage=system_ns,
            online_cpus=online,
            throttling_data=throttled,
        ),
        memory=memory(files, machine_bytes),
        pids=_pids(files, version),
        blkio=blkio(files),
        networks=parse_net_dev(net_dev),
    )


def parse_net_dev(text: str) -> dict[str, NetworkStats]:
    """Return traffic by interface from /proc/PID/net/dev, without the loopback."""
    found = {}
    for line in text.splitlines():
        name, colon, counters = line.partition(":")
        fields = counters.split()
        if not colon or len(fields) < 12 or name.strip() == "lo":
            continue
        numbers = [int(each) for each in fields]
        found[name.strip()] = NetworkStats(
            rx_bytes=numbers[0],
            rx_packets=numbers[1],
            rx_errors=numbers[2],
            rx_dropped=numbers[3],
            tx_bytes=numbers[8],
            tx_packets=numbers[9],
            tx_errors=numbers[10],
            tx_dropped=numbers[11],
        )
    return found


def _machine_cpu(text: str) -> tuple[int, int]:
    """Return (nanoseconds of all CPUs so far, CPUs that are on) from /proc/stat."""
    lines = [line.split() for line in text.splitlines() if line.startswith("cpu")]
    total = sum(int(each) for each in lines[0][1 : _CPU_FIELDS + 1]) * _TICK_NS if lines else 0
    return total, len(lines) - 1


def _pids(files: Mapping[str, str], version: int) -> PidsStats:
    """Return processes; without a limit, version 1 says nothing and version 2 the most there is."""
    limit = files.get("pids.max", "max").strip()
    no_limit = _NO_LIMIT if version == 2 else UNSET
    return PidsStats(
        current=_number(files, "pids.current"), limit=no_limit if limit == "max" else int(limit)
    )


def _cpu_v1(files: Mapping[str, str]) -> tuple[CpuUsage, ThrottlingData]:
    ticks, quota = pairs(files.get("cpuacct.stat", "")), pairs(files.get("cpu.stat", ""))
    used = CpuUsage(
        total_usage=_number(files, "cpuacct.usage"),
        percpu_usage=[int(each) for each in files.get("cpuacct.usage_percpu", "").split()],
        usage_in_kernelmode=ticks.get("system", 0) * _TICK_NS,
        usage_in_usermode=ticks.get("user", 0) * _TICK_NS,
    )
    return used, ThrottlingData(
        periods=quota.get("nr_periods", 0),
        throttled_periods=quota.get("nr_throttled", 0),
        throttled_time=quota.get("throttled_time", 0),
    )


def _cpu_v2(files: Mapping[str, str]) -> tuple[CpuUsage, ThrottlingData]:
    stat = pairs(files.get("cpu.stat", ""))
    used = CpuUsage(
        total_usage=stat.get("usage_usec", 0) * _US_NS,
        usage_in_kernelmode=stat.get("system_usec", 0) * _US_NS,
        usage_in_usermode=stat.get("user_usec", 0) * _US_NS,
    )
    return used, ThrottlingData(
        periods=stat.get("nr_periods", 0),
        throttled_periods=stat.get("nr_throttled", 0),
        throttled_time=stat.get("throttled_usec", 0) * _US_NS,
    )


def _memory_v1(files: Mapping[str, str], machine_bytes: int) -> MemoryStats:
    return MemoryStats(
        usage=_number(files, "memory.usage_in_bytes"),
        max_usage=_number(files, "memory.max_usage_in_bytes"),
        stats=pairs(files.get("memory.stat", "")),
        failcnt=_number(files, "memory.failcnt") or UNSET,
        limit=min(_number(files, "memory.limit_in_bytes") or machine_bytes, machine_bytes),
    )


def _memory_v2(files: Mapping[str, str], machine_bytes: int) -> MemoryStats:
    limit = files.get("memory.max", "max").strip()
    return MemoryStats(
        usage=_number(files, "memory.current"),
        stats=pairs(files.get("memory.stat", "")),
        failcnt=pairs(files.get("memory.events", "")).get("oom") or UNSET,
        limit=machine_bytes if limit == "max" else min(int(limit), machine_bytes),
    )


def _blkio_v1(files: Mapping[str, str]) -> BlkioStats:
    return BlkioStats(
        io_service_bytes_recursive=_entries_v1(
            files.get("blkio.throttle.io_service_bytes_recursive", "")
        ),
        io_serviced_recursive=_entries_v1(files.get("blkio.throttle.io_serviced_recursive", "")),
        io_queue_recursive=[],
        io_service_time_recursive=[],
        io_wait_time_recursive=[],
        io_merged_recursive=[],
        io_time_recursive=[],
        sectors_recursive=[],
    )


def _entries_v1(text: str) -> list[BlkioStatEntry]:
    """Return the rows "8:0 Read 4096"; the last line, a total of all devices, is none."""
    rows = (line.split() for line in text.splitlines())
    return [
        BlkioStatEntry(*_device(device), op, int(value))
        for device, op, value in (row for row in rows if len(row) == 3)
    ]


def _blkio_v2(files: Mapping[str, str]) -> BlkioStats:
    """Return the rows "8:0 rbytes=4096 wbytes=0 …"."""
    entries = []
    for line in files.get("io.stat", "").splitlines():
        device, *fields = line.split()
        if ":" not in device:
            continue
        done = dict(each.split("=", 1) for each in fields if "=" in each)
        for op, key in (("read", "rbytes"), ("write", "wbytes")):
            if key in done:
                entries.append(BlkioStatEntry(*_device(device), op, int(done[key])))
    return BlkioStats(io_service_bytes_recursive=entries)


def _device(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(":")
    return int(major), int(minor)


def pairs(text: str) -> dict[str, int]:
    """Return the numbers of a file with a name and a number in every line."""
    return dict(_pairs(text.splitlines()))


def _pairs(lines: Iterable[str]) -> Iterable[tuple[str, int]]:
    for line in lines:
        name, _, value = line.partition(" ")
        if value.strip().isdecimal():
            yield name, int(value)


def _number(files: Mapping[str, str], name: str) -> int:
    text = files.get(name, "").strip()
    return int(text) if text.isdecimal() else 0


_V1 = (_cpu_v1, _memory_v1, _blkio_v1)
