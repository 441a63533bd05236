"""Statistics of a container as the API spells them (Engine API 1.56).

Times are RFC 3339, CPU times nanoseconds, memory and traffic bytes. What one version of the
control groups does not tell is left out.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType, field

_NEVER = "0001-01-01T00:00:00Z"


class PidsStats(Struct, frozen=True, kw_only=True):
    """Processes and threads now, and how many there may be."""

    current: int | UnsetType = UNSET
    limit: int | UnsetType = UNSET


class BlkioStatEntry(Struct, frozen=True):
    """What was done with one device."""

    major: int
    minor: int
    op: str
    value: int


class BlkioStats(Struct, frozen=True, kw_only=True):
    """Input and output by device."""

    io_service_bytes_recursive: list[BlkioStatEntry] | None = None
    io_serviced_recursive: list[BlkioStatEntry] | None = None
    io_queue_recursive: list[BlkioStatEntry] | None = None
    io_service_time_recursive: list[BlkioStatEntry] | None = None
    io_wait_time_recursive: list[BlkioStatEntry] | None = None
    io_merged_recursive: list[BlkioStatEntry] | None = None
    io_time_recursive: list[BlkioStatEntry] | None = None
    sectors_recursive: list[BlkioStatEntry] | None = None


class CpuUsage(Struct, frozen=True, kw_only=True):
    """CPU time that a container used."""

    total_usage: int = 0
    percpu_usage: list[int] | UnsetType = UNSET
    usage_in_kernelmode: int = 0
    usage_in_usermode: int = 0


class ThrottlingData(Struct, frozen=True, kw_only=True):
    """How often, and for how long, the quota held a container back."""

    periods: int = 0
    throttled_periods: int = 0
    throttled_time: int = 0


class CpuStats(Struct, frozen=True, kw_only=True):
    """CPU times of a container and of the whole machine."""

    cpu_usage: CpuUsage = CpuUsage()
    system_cpu_usage: int | UnsetType = UNSET
    online_cpus: int | UnsetType = UNSET
    throttling_data: ThrottlingData = ThrottlingData()


class MemoryStats(Struct, frozen=True, kw_only=True):
    """Memory now, at most, by kind, and how much there may be."""

    usage: int | UnsetType = UNSET
    max_usage: int | UnsetType = UNSET
    stats: dict[str, int] | UnsetType = UNSET
    failcnt: int | UnsetType = UNSET
    limit: int | UnsetType = UNSET


class NetworkStats(Struct, frozen=True, kw_only=True):
    """Traffic of one interface, as the container sees it."""

    rx_bytes: int
    rx_packets: int
    rx_errors: int
    rx_dropped: int
    tx_bytes: int
    tx_packets: int
    tx_errors: int
    tx_dropped: int


class StorageStats(Struct, frozen=True):
    """Of Windows alone: empty."""


class ContainerStatsResponse(Struct, frozen=True, kw_only=True):
    """GET /containers/{id}/stats: a sample and the CPU times of the one before it."""

    id: str
    name: str
    os_type: str | UnsetType = UNSET
    read: str = _NEVER
    cpu_stats: CpuStats = CpuStats()
    memory_stats: MemoryStats = MemoryStats()
    networks: dict[str, NetworkStats] | UnsetType = UNSET
    pids_stats: PidsStats = PidsStats()
    blkio_stats: BlkioStats = field(default_factory=BlkioStats)
    num_procs: int = 0
    storage_stats: StorageStats = StorageStats()
    preread: str = _NEVER
    precpu_stats: CpuStats = CpuStats()
