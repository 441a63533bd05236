"""The swarm as the API spells it (Engine API 1.56)."""

from __future__ import annotations

from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType, field

from api.types.nodes import TLSInfo
from api.types.objects import Annotations, ClusterObject, Driver, Natural


class LocalNodeState(StrEnum):
    """How far a node is in a swarm; locked managers wait for their key."""

    INACTIVE = "inactive"
    PENDING = "pending"
    ACTIVE = "active"
    ERROR = "error"
    LOCKED = "locked"


class OrchestrationConfig(Struct, frozen=True, omit_defaults=True):
    """How many ended tasks are kept per slot; negative keeps all, None is the default."""

    TaskHistoryRetentionLimit: int | None = None


class RaftConfig(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Log entries between snapshots and for slow followers; ticks are seconds."""

    SnapshotInterval: Natural = 0
    KeepOldSnapshots: Natural | None = None
    LogEntriesForSlowFollowers: Natural = 0
    ElectionTick: int = field(default_factory=int)
    HeartbeatTick: int = field(default_factory=int)


class DispatcherConfig(Struct, frozen=True, omit_defaults=True):
    """How often agents report, in nanoseconds; 0 is the default."""

    HeartbeatPeriod: int = 0


class ExternalCA(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An authority elsewhere that signs nodes' certificates; CACert is PEM."""

    Protocol: str = field(default_factory=str)
    URL: str = field(default_factory=str)
    Options: dict[str, str] = field(default_factory=dict)
    CACert: str = field(default_factory=str)


class CAConfig(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Life of nodes' certificates in nanoseconds, and the authority; a key is never given back."""

    NodeCertExpiry: int = 0
    ExternalCAs: list[ExternalCA] = field(default_factory=list)
    SigningCACert: str = ""
    SigningCAKey: str = ""
    ForceRotate: Natural = 0


class TaskDefaults(Struct, frozen=True, omit_defaults=True):
    """What tasks get where their service says nothing."""

    LogDriver: Driver | None = None


class EncryptionConfig(Struct, frozen=True):
    """Whether managers need a key after a restart."""

    AutoLockManagers: bool = False


class SwarmSpec(Annotations, frozen=True, kw_only=True, omit_defaults=True):
    """What users want of the swarm."""

    Orchestration: OrchestrationConfig = field(default_factory=OrchestrationConfig)
    Raft: RaftConfig = field(default_factory=RaftConfig)
    Dispatcher: DispatcherConfig = field(default_factory=DispatcherConfig)
    CAConfig: CAConfig = field(default_factory=CAConfig)
    TaskDefaults: TaskDefaults = field(default_factory=TaskDefaults)
    EncryptionConfig: EncryptionConfig = field(default_factory=EncryptionConfig)


def _no_pools() -> list[str]:
    return []


class ClusterInfo(ClusterObject, frozen=True, kw_only=True, omit_defaults=True):
    """The swarm as `docker info` shows it: without tokens."""

    Spec: SwarmSpec = field(default_factory=SwarmSpec)
    TLSInfo: TLSInfo = field(default_factory=TLSInfo)
    RootRotationInProgress: bool = field(default_factory=bool)
    DefaultAddrPool: list[str] = field(default_factory=_no_pools)
    SubnetSize: Natural = field(default_factory=int)
    DataPathPort: Natural = field(default_factory=int)


class JoinTokens(Struct, frozen=True, kw_only=True):
    """Who shows one of these may join, in the role that it stands for."""

    Worker: str = ""
    Manager: str = ""


class Swarm(ClusterInfo, frozen=True, kw_only=True, omit_defaults=True):
    """GET /swarm."""

    JoinTokens: JoinTokens = field(default_factory=JoinTokens)


class SwarmInitRequest(Struct, frozen=True, kw_only=True):
    """The body of POST /swarm/init; addresses as host, host:port or interface."""

    ListenAddr: str = ""
    AdvertiseAddr: str = ""
    DataPathAddr: str = ""
    DataPathPort: Natural = 0
    ForceNewCluster: bool = False
    Spec: SwarmSpec = SwarmSpec()
    AutoLockManagers: bool = False
    Availability: str = ""
    DefaultAddrPool: list[str] = field(default_factory=list)
    SubnetSize: Natural = 0


class SwarmJoinRequest(Struct, frozen=True, kw_only=True):
    """The body of POST /swarm/join."""

    ListenAddr: str = ""
    AdvertiseAddr: str = ""
    DataPathAddr: str = ""
    RemoteAddrs: list[str] = field(default_factory=list)
    JoinToken: str = ""
    Availability: str = ""


class SwarmUnlockRequest(Struct, frozen=True):
    """The body of POST /swarm/unlock."""

    UnlockKey: str = ""


class UnlockKeyResponse(Struct, frozen=True):
    """GET /swarm/unlockkey; "" where the swarm is not locked."""

    UnlockKey: str = ""


class PeerNode(Struct, frozen=True):
    """A manager, and where it listens."""

    NodeID: str = ""
    Addr: str = ""


class SwarmInfo(Struct, frozen=True, kw_only=True):
    """The node's place in a swarm, as GET /info shows it; counts where it is a manager."""

    NodeID: str = ""
    NodeAddr: str = ""
    LocalNodeState: str = "inactive"
    ControlAvailable: bool = False
    Error: str = ""
    RemoteManagers: list[PeerNode] | None = None
    Nodes: int | UnsetType = UNSET
    Managers: int | UnsetType = UNSET
    Cluster: ClusterInfo | UnsetType = UNSET
    Warnings: list[str] | UnsetType = UNSET
