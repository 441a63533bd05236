"""The kernel's counters as statistics, from files of both versions of the control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.types.stats import BlkioStatEntry, CpuUsage, NetworkStats, PidsStats, ThrottlingData
from engine.core.stats import Sample, make_sample, parse_net_dev

DATA = Path(__file__).parents[3] / "data"
MACHINE_BYTES = 1 << 30
NET_DEV = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0 0
  eth0:    1296      16    1    2    0     0          0         0      700       9    3    4    0 0
"""
CPU_STAT = """cpu  100 0 50 800 10 5 5 30 0 0
cpu0 50 0 25 400 5 2 3 15 0 0
cpu1 50 0 25 400 5 3 2 15 0 0
intr 1
"""


def sample(version: int, machine_bytes: int = MACHINE_BYTES) -> Sample:
    """Return the sample of the stored files of a version."""
    directory = DATA / f"cgroup_v{version}"
    return make_sample(
        version=version,
        files={each.name: each.read_text() for each in directory.iterdir()},
        net_dev=NET_DEV,
        cpu_stat=CPU_STAT,
        read_ns=1,
        machine_bytes=machine_bytes,
    )


def test_cpu_times_of_version_1() -> None:
    """Nanoseconds as they are, ticks of 10 ms."""
    cpu = sample(1).cpu

    assert cpu.cpu_usage == CpuUsage(
        total_usage=842_190_908,
        percpu_usage=[840_452_615, 1_738_293],
        usage_in_kernelmode=30_000_000,
        usage_in_usermode=810_000_000,
    )
    expected = ThrottlingData(periods=10, throttled_periods=2, throttled_time=3000)
    assert expected == cpu.throttling_data


def test_cpu_times_of_version_2() -> None:
    """Microseconds become nanoseconds; CPUs are not told apart."""
    cpu = sample(2).cpu

    assert cpu.cpu_usage == CpuUsage(
        total_usage=1_250_000_000,
        usage_in_kernelmode=250_000_000,
        usage_in_usermode=1_000_000_000,
    )
    expected = ThrottlingData(periods=20, throttled_periods=3, throttled_time=4_500_000)
    assert expected == cpu.throttling_data


@pytest.mark.parametrize("version", [1, 2])
def test_time_of_the_machine(version: int) -> None:
    """The first seven fields of /proc/stat, in nanoseconds: what clients divide by."""
    cpu = sample(version).cpu

    assert cpu.system_cpu_usage == 970 * 10_000_000
    assert cpu.online_cpus == 2


def test_memory_of_version_1() -> None:
    """No limit is the machine's memory; clients subtract total_inactive_file."""
    memory = sample(1).memory

    assert (memory.usage, memory.max_usage, memory.failcnt) == (544_768, 3_796_992, 5)
    assert memory.limit == MACHINE_BYTES
    assert memory.stats
    assert memory.stats["total_inactive_file"] == 1024


def test_memory_of_version_2() -> None:
    """Clients subtract inactive_file."""
    memory = sample(2).memory

    assert (memory.usage, memory.limit, memory.failcnt) == (8 << 20, 64 << 20, 2)
    assert memory.stats
    assert memory.stats["inactive_file"] == 1 << 20


def test_processes() -> None:
    """No limit is the largest number, as the API says."""
    assert PidsStats(current=1, limit=50) == sample(1).pids
    assert PidsStats(current=4, limit=(1 << 64) - 1) == sample(2).pids


def test_processes_without_a_limit_of_version_1() -> None:
    """The field is left out, as the reference does."""
    found = make_sample(
        version=1,
        files={"pids.current": "1", "pids.max": "max"},
        net_dev="",
        cpu_stat="",
        read_ns=1,
        machine_bytes=MACHINE_BYTES,
    )

    assert found.pids == PidsStats(current=1)


def test_input_and_output_by_device() -> None:
    """The total over all devices is no device."""
    old, new = sample(1).blkio, sample(2).blkio

    assert old.io_service_bytes_recursive == [
        BlkioStatEntry(8, 0, "Read", 4096),
        BlkioStatEntry(8, 0, "Write", 0),
        BlkioStatEntry(8, 0, "Total", 4096),
    ]
    assert old.io_serviced_recursive == [BlkioStatEntry(8, 0, "Read", 1)]
    assert new.io_service_bytes_recursive == [
        BlkioStatEntry(8, 0, "read", 4096),
        BlkioStatEntry(8, 0, "write", 8192),
        BlkioStatEntry(253, 1, "read", 512),
        BlkioStatEntry(253, 1, "write", 0),
    ]


def test_traffic_by_interface() -> None:
    """Without the loopback."""
    expected = NetworkStats(
        rx_bytes=1296, rx_packets=16, rx_errors=1, rx_dropped=2,
        tx_bytes=700, tx_packets=9, tx_errors=3, tx_dropped=4,
    )  # fmt: skip

    assert parse_net_dev(NET_DEV) == {"eth0": expected}


@pytest.mark.parametrize("version", [1, 2])
def test_missing_files_count_as_nothing(version: int) -> None:
    """A kernel without a controller, or a group that vanished meanwhile."""
    empty = make_sample(
        version=version, files={}, net_dev="", cpu_stat="", read_ns=1, machine_bytes=MACHINE_BYTES
    )

    assert empty.cpu.cpu_usage.total_usage == 0
    assert empty.memory.limit == MACHINE_BYTES
    assert empty.networks == {}
