"""Containers as the API spells them (Engine API 1.56).

`None` is what Go's nil is to the reference: an absent list or map. A field that older or newer
answers leave out when empty is `UNSET` by default, and is not encoded then.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from api.types.networks import EndpointSettings, NetworkingConfig, PortBinding


class HealthConfig(Struct, frozen=True):
    """How to probe a container; durations in nanoseconds, 0 means inherit."""

    Test: list[str] | UnsetType = UNSET
    Interval: int | UnsetType = UNSET
    Timeout: int | UnsetType = UNSET
    StartPeriod: int | UnsetType = UNSET
    StartInterval: int | UnsetType = UNSET
    Retries: int | UnsetType = UNSET


class ContainerConfig(Struct, frozen=True, kw_only=True):
    """What an image may set and a container may override: portable configuration."""

    Hostname: str = ""
    Domainname: str = ""
    User: str = ""
    AttachStdin: bool = False
    AttachStdout: bool = False
    AttachStderr: bool = False
    ExposedPorts: dict[str, Any] | UnsetType | None = UNSET
    Tty: bool = False
    OpenStdin: bool = False
    StdinOnce: bool = False
    Env: list[str] | None = None
    Cmd: list[str] | None = None
    Healthcheck: HealthConfig | UnsetType | None = UNSET
    ArgsEscaped: bool | UnsetType = UNSET
    Image: str = ""
    Volumes: dict[str, Any] | None = None
    WorkingDir: str = ""
    Entrypoint: list[str] | None = None
    NetworkDisabled: bool | UnsetType = UNSET
    MacAddress: str | UnsetType = UNSET
    OnBuild: list[str] | UnsetType | None = UNSET
    Labels: dict[str, str] | None = None
    StopSignal: str | UnsetType = UNSET
    StopTimeout: int | UnsetType | None = UNSET
    Shell: list[str] | UnsetType | None = UNSET


class RestartPolicy(Struct, frozen=True):
    """When to start a container again: "", no, always, unless-stopped, on-failure."""

    Name: str = ""
    MaximumRetryCount: int = 0


class LogConfig(Struct, frozen=True):
    """The log driver and its options; an empty Type means the daemon's default."""

    Type: str = ""
    Config: dict[str, str] | None = None


class DeviceMapping(Struct, frozen=True):
    """A host device shown in the container."""

    PathOnHost: str = ""
    PathInContainer: str = ""
    CgroupPermissions: str = ""


class DeviceRequest(Struct, frozen=True):
    """Devices asked for by driver, count or capability."""

    Driver: str = ""
    Count: int = 0
    DeviceIDs: list[str] | None = None
    Capabilities: list[list[str]] | None = None
    Options: dict[str, str] | None = None


class WeightDevice(Struct, frozen=True):
    """Block I/O weight of one device."""

    Path: str = ""
    Weight: int = 0


class ThrottleDevice(Struct, frozen=True):
    """Block I/O limit of one device: bytes or operations per second."""

    Path: str = ""
    Rate: int = 0


class Ulimit(Struct, frozen=True):
    """A resource limit by its getrlimit name without RLIMIT_, lower case."""

    Name: str = ""
    Hard: int = 0
    Soft: int = 0


class BindOptions(Struct, frozen=True):
    """Options of a bind mount."""

    Propagation: str | UnsetType = UNSET
    NonRecursive: bool | UnsetType = UNSET
    CreateMountpoint: bool | UnsetType = UNSET
    ReadOnlyNonRecursive: bool | UnsetType = UNSET
    ReadOnlyForceRecursive: bool | UnsetType = UNSET


class VolumeDriverConfig(Struct, frozen=True):
    """The driver that makes a volume on first use."""

    Name: str | UnsetType = UNSET
    Options: dict[str, str] | UnsetType | None = UNSET


class VolumeOptions(Struct, frozen=True):
    """Options of a volume mount."""

    NoCopy: bool | UnsetType = UNSET
    Labels: dict[str, str] | UnsetType | None = UNSET
    Subpath: str | UnsetType = UNSET
    DriverConfig: VolumeDriverConfig | UnsetType | None = UNSET


class TmpfsOptions(Struct, frozen=True):
    """Options of a tmpfs mount: size in bytes, mode as an integer."""

    SizeBytes: int | UnsetType = UNSET
    Mode: int | UnsetType = UNSET
    Options: list[list[str]] | UnsetType | None = UNSET


class ImageOptions(Struct, frozen=True):
    """Options of an image mount."""

    Subpath: str | UnsetType = UNSET


class ClusterOptions(Struct, frozen=True):
    """Options of a mount of a cluster's volume: there are none."""


class Mount(Struct, frozen=True, kw_only=True):
    """A mount as `--mount` asks for it: bind, volume, tmpfs, image or cluster."""

    Type: str = ""
    Source: str | UnsetType = UNSET
    Target: str = ""
    ReadOnly: bool | UnsetType = UNSET
    Consistency: str | UnsetType = UNSET
    BindOptions: BindOptions | UnsetType | None = UNSET
    VolumeOptions: VolumeOptions | UnsetType | None = UNSET
    TmpfsOptions: TmpfsOptions | UnsetType | None = UNSET
    ImageOptions: ImageOptions | UnsetType | None = UNSET
    ClusterOptions: ClusterOptions | UnsetType | None = UNSET


class Resources(Struct, frozen=True, kw_only=True):
    """Limits: memory in bytes, CPU in shares, quota and nano-CPUs; 0 is no limit."""

    CpuShares: int = 0
    Memory: int = 0
    NanoCpus: int = 0
    CgroupParent: str = ""
    BlkioWeight: int = 0
    BlkioWeightDevice: list[WeightDevice] | None = None
    BlkioDeviceReadBps: list[ThrottleDevice] | None = None
    BlkioDeviceWriteBps: list[ThrottleDevice] | None = None
    BlkioDeviceReadIOps: list[ThrottleDevice] | None = None
    BlkioDeviceWriteIOps: list[ThrottleDevice] | None = None
    CpuPeriod: int = 0
    CpuQuota: int = 0
    CpuRealtimePeriod: int = 0
    CpuRealtimeRuntime: int = 0
    CpusetCpus: str = ""
    CpusetMems: str = ""
    Devices: list[DeviceMapping] | None = None
    DeviceCgroupRules: list[str] | None = None
    DeviceRequests: list[DeviceRequest] | None = None
    KernelMemory: int | UnsetType = UNSET
    KernelMemoryTCP: int | UnsetType = UNSET
    MemoryReservation: int = 0
    MemorySwap: int = 0
    MemorySwappiness: int | None = None
    OomKillDisable: bool | None = None
    PidsLimit: int | None = None
    Ulimits: list[Ulimit] | None = None
    CpuCount: int = 0
    CpuPercent: int = 0
    IOMaximumIOps: int = 0
    IOMaximumBandwidth: int = 0


class HostConfig(Resources, frozen=True, kw_only=True):
    """What ties a container to its host: mounts, ports, namespaces, rights, limits."""

    Binds: list[str] | None = None
    ContainerIDFile: str = ""
    LogConfig: LogConfig = LogConfig()
    NetworkMode: str = ""
    PortBindings: dict[str, list[PortBinding] | None] | None = None
    RestartPolicy: RestartPolicy = RestartPolicy()
    AutoRemove: bool = False
    VolumeDriver: str = ""
    VolumesFrom: list[str] | None = None
    ConsoleSize: list[int] = field(default_factory=lambda: [0, 0])
    Annotations: dict[str, str] | UnsetType | None = UNSET
    CapAdd: list[str] | None = None
    CapDrop: list[str] | None = None
    CgroupnsMode: str = ""
    Dns: list[str] | None = None
    DnsOptions: list[str] | None = None
    DnsSearch: list[str] | None = None
    ExtraHosts: list[str] | None = None
    GroupAdd: list[str] | None = None
    IpcMode: str = ""
    Cgroup: str = ""
    Links: list[str] | None = None
    OomScoreAdj: int = 0
    PidMode: str = ""
    Privileged: bool = False
    PublishAllPorts: bool = False
    ReadonlyRootfs: bool = False
    SecurityOpt: list[str] | None = None
    StorageOpt: dict[str, str] | UnsetType | None = UNSET
    Tmpfs: dict[str, str] | UnsetType | None = UNSET
    UTSMode: str = ""
    UsernsMode: str = ""
    ShmSize: int = 0
    Sysctls: dict[str, str] | UnsetType | None = UNSET
    Runtime: str = ""
    Isolation: str = ""
    Mounts: list[Mount] | UnsetType | None = UNSET
    MaskedPaths: list[str] | None = None
    ReadonlyPaths: list[str] | None = None
    Init: bool | UnsetType | None = UNSET


class ContainerCreateRequest(ContainerConfig, frozen=True, kw_only=True):
    """The body of POST /containers/create: the configuration with its two companions."""

    HostConfig: HostConfig | None = None
    NetworkingConfig: NetworkingConfig | None = None


class ContainerCreateResponse(Struct, frozen=True):
    """What create answers."""

    Id: str
    Warnings: list[str] = field(default_factory=list)


class HealthcheckResult(Struct, frozen=True):
    """One probe: RFC 3339 times, exit code, at most 4096 bytes of output."""

    Start: str
    End: str
    ExitCode: int
    Output: str


class Health(Struct, frozen=True):
    """Health now, and the last five probes."""

    Status: str = "none"
    FailingStreak: int = 0
    Log: list[HealthcheckResult] | None = None


class ContainerState(Struct, frozen=True, kw_only=True):
    """The state as inspect shows it; times are RFC 3339 with nanoseconds."""

    Status: str = "created"
    Running: bool = False
    Paused: bool = False
    Restarting: bool = False
    OOMKilled: bool = False
    Dead: bool = False
    Pid: int = 0
    ExitCode: int = 0
    Error: str = ""
    StartedAt: str = "0001-01-01T00:00:00Z"
    FinishedAt: str = "0001-01-01T00:00:00Z"
    Health: Health | UnsetType = UNSET


class MountPoint(Struct, frozen=True, kw_only=True):
    """A mount as inspect and list show it."""

    Type: str = ""
    Name: str | UnsetType = UNSET
    Source: str = ""
    Destination: str = ""
    Driver: str | UnsetType = UNSET
    Mode: str = ""
    RW: bool = True
    Propagation: str = ""


class DriverData(Struct, frozen=True):
    """Where the storage driver keeps an object."""

    Name: str
    Data: dict[str, str] | None = None


class NetworkSettings(Struct, frozen=True, kw_only=True):
    """Endpoints and ports as inspect shows them; the flat fields speak of the default bridge."""

    Bridge: str = ""
    SandboxID: str = ""
    SandboxKey: str = ""
    Ports: dict[str, list[PortBinding] | None] | None = field(default_factory=dict)
    HairpinMode: bool = False
    LinkLocalIPv6Address: str = ""
    LinkLocalIPv6PrefixLen: int = 0
    SecondaryIPAddresses: list[Any] | None = None
    SecondaryIPv6Addresses: list[Any] | None = None
    EndpointID: str = ""
    Gateway: str = ""
    GlobalIPv6Address: str = ""
    GlobalIPv6PrefixLen: int = 0
    IPAddress: str = ""
    IPPrefixLen: int = 0
    IPv6Gateway: str = ""
    MacAddress: str = ""
    Networks: dict[str, EndpointSettings] = field(default_factory=dict)


class ContainerInspectResponse(Struct, frozen=True, kw_only=True):
    """GET /containers/{id}/json."""

    Id: str
    Created: str
    Path: str
    Args: list[str]
    State: ContainerState
    Image: str
    ResolvConfPath: str = ""
    HostnamePath: str = ""
    HostsPath: str = ""
    LogPath: str = ""
    Name: str
    RestartCount: int = 0
    Driver: str = "overlay2"
    Platform: str = "linux"
    MountLabel: str = ""
    ProcessLabel: str = ""
    AppArmorProfile: str = ""
    ExecIDs: list[str] | None = None
    HostConfig: HostConfig
    GraphDriver: DriverData
    SizeRw: int | UnsetType = UNSET
    SizeRootFs: int | UnsetType = UNSET
    Mounts: list[MountPoint] = field(default_factory=list)
    Config: ContainerConfig
    NetworkSettings: NetworkSettings


class Port(Struct, frozen=True, kw_only=True):
    """A port in a listing; PublicPort is left out when only exposed."""

    IP: str | UnsetType = UNSET
    PrivatePort: int
    PublicPort: int | UnsetType = UNSET
    Type: str


class SummaryHostConfig(Struct, frozen=True):
    """The part of HostConfig that a listing shows."""

    NetworkMode: str = ""
    Annotations: dict[str, str] | UnsetType | None = UNSET


class SummaryNetworkSettings(Struct, frozen=True):
    """The part of NetworkSettings that a listing shows."""

    Networks: dict[str, EndpointSettings] = field(default_factory=dict)


class HealthSummary(Struct, frozen=True):
    """Health in a listing (API 1.52 and newer)."""

    Status: str = "none"
    FailingStreak: int = 0


class ContainerSummary(Struct, frozen=True, kw_only=True):
    """One row of GET /containers/json."""

    Id: str
    Names: list[str]
    Image: str
    ImageID: str
    Command: str
    Created: int
    Ports: list[Port]
    SizeRw: int | UnsetType = UNSET
    SizeRootFs: int | UnsetType = UNSET
    Labels: dict[str, str]
    State: str
    Status: str
    Health: HealthSummary | UnsetType = UNSET
    HostConfig: SummaryHostConfig
    NetworkSettings: SummaryNetworkSettings
    Mounts: list[MountPoint]


class ContainerWaitExitError(Struct, frozen=True):
    """Why waiting failed."""

    Message: str


class ContainerWaitResponse(Struct, frozen=True):
    """What wait answers when the condition is met."""

    StatusCode: int
    Error: ContainerWaitExitError | UnsetType = UNSET


class ContainerTopResponse(Struct, frozen=True):
    """The process table of a container, as ps prints it."""

    Titles: list[str]
    Processes: list[list[str]]


class FilesystemChange(Struct, frozen=True):
    """A path that differs from the image: kind 0 modified, 1 added, 2 deleted."""

    Path: str
    Kind: int
