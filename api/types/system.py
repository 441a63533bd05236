"""Version, info and disk usage as the API spells them (Engine API 1.56)."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from api.types.resources import GenericResource
from api.types.swarm import SwarmInfo


class PlatformName(Struct, frozen=True):
    """What the server calls itself."""

    Name: str


class ComponentVersion(Struct, frozen=True):
    """One program that the engine is made of."""

    Name: str
    Version: str
    Details: dict[str, str] | None = None


class SystemVersion(Struct, frozen=True, kw_only=True):
    """GET /version."""

    Platform: PlatformName
    Components: list[ComponentVersion]
    Version: str
    ApiVersion: str
    MinAPIVersion: str
    GitCommit: str = ""
    GoVersion: str = ""
    Os: str = "linux"
    Arch: str
    KernelVersion: str
    Experimental: bool | UnsetType = UNSET
    BuildTime: str = ""


class PluginsInfo(Struct, frozen=True):
    """Drivers by what they are for."""

    Volume: list[str]
    Network: list[str]
    Authorization: list[str] | None
    Log: list[str]


class IndexInfo(Struct, frozen=True):
    """How a registry is spoken to."""

    Name: str
    Mirrors: list[str]
    Secure: bool
    Official: bool


class RegistryServiceConfig(Struct, frozen=True, kw_only=True):
    """Registries that the operator configured."""

    InsecureRegistryCIDRs: list[str]
    IndexConfigs: dict[str, IndexInfo]
    Mirrors: list[str] | None = None


class Runtime(Struct, frozen=True):
    """An OCI runtime that containers may ask for."""

    path: str
    runtimeArgs: list[str] | UnsetType = UNSET


class Commit(Struct, frozen=True):
    """The revision of an external program."""

    ID: str = ""


class AddressPoolInfo(Struct, frozen=True):
    """A range that networks get their subnets from."""

    Base: str
    Size: int


class FirewallInfo(Struct, frozen=True):
    """What programs the firewall, with label and value pairs about it."""

    Driver: str
    Info: list[list[str]] | UnsetType = UNSET


class SystemInfo(Struct, frozen=True, kw_only=True):
    """GET /info; memory in bytes, time RFC 3339 with nanoseconds."""

    ID: str
    Containers: int
    ContainersRunning: int
    ContainersPaused: int
    ContainersStopped: int
    Images: int
    Driver: str
    DriverStatus: list[list[str]]
    Plugins: PluginsInfo
    MemoryLimit: bool
    SwapLimit: bool
    CpuCfsPeriod: bool
    CpuCfsQuota: bool
    CPUShares: bool
    CPUSet: bool
    PidsLimit: bool
    OomKillDisable: bool
    IPv4Forwarding: bool
    Debug: bool
    NFd: int
    NGoroutines: int
    SystemTime: str
    LoggingDriver: str
    CgroupDriver: str
    CgroupVersion: str
    NEventsListener: int
    KernelVersion: str
    OperatingSystem: str
    OSVersion: str
    OSType: str = "linux"
    Architecture: str
    IndexServerAddress: str = "https://index.docker.io/v1/"
    RegistryConfig: RegistryServiceConfig
    NCPU: int
    MemTotal: int
    GenericResources: list[GenericResource] | None = None
    DockerRootDir: str
    HttpProxy: str = ""
    HttpsProxy: str = ""
    NoProxy: str = ""
    Name: str
    Labels: list[str] = field(default_factory=list)
    ExperimentalBuild: bool = False
    ServerVersion: str
    Runtimes: dict[str, Runtime]
    DefaultRuntime: str
    Swarm: SwarmInfo = SwarmInfo()
    LiveRestoreEnabled: bool
    Isolation: str = ""
    InitBinary: str = ""
    ContainerdCommit: Commit = Commit()
    RuncCommit: Commit = Commit()
    InitCommit: Commit = Commit()
    SecurityOptions: list[str]
    DefaultAddressPools: list[AddressPoolInfo] | UnsetType = UNSET
    FirewallBackend: FirewallInfo | UnsetType = UNSET
    CDISpecDirs: list[str] = field(default_factory=list)
    Warnings: list[str] = field(default_factory=list)


class UsageGroup(Struct, frozen=True, kw_only=True):
    """Disk usage of one kind of object, in bytes; items when asked for verbosely."""

    ActiveCount: int = 0
    TotalCount: int = 0
    Reclaimable: int = 0
    TotalSize: int = 0
    Items: list[Any] | UnsetType = UNSET


class SystemDataUsage(Struct, frozen=True, kw_only=True):
    """GET /system/df since API 1.52; kinds that were not asked for are absent."""

    ImageUsage: UsageGroup | UnsetType = UNSET
    ContainerUsage: UsageGroup | UnsetType = UNSET
    VolumeUsage: UsageGroup | UnsetType = UNSET
    BuildCacheUsage: UsageGroup | UnsetType = UNSET


class LegacyDataUsage(Struct, frozen=True, kw_only=True):
    """GET /system/df before API 1.52: the objects themselves, with their sizes."""

    LayersSize: int | UnsetType = UNSET
    Images: list[Any] | UnsetType | None = UNSET
    Containers: list[Any] | UnsetType | None = UNSET
    Volumes: list[Any] | UnsetType | None = UNSET
    BuildCache: list[Any] | UnsetType | None = UNSET
    BuilderSize: int | UnsetType = UNSET


class BuildPruneReport(Struct, frozen=True):
    """POST /build/prune; bytes."""

    CachesDeleted: list[str] | None = None
    SpaceReclaimed: int = 0
