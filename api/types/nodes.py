"""Nodes as the API spells them (Engine API 1.56)."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from api.types.objects import ClusterObject, no_labels
from api.types.resources import ResourceObject


class NodeRole(StrEnum):
    """What a node is for."""

    WORKER = "worker"
    MANAGER = "manager"


class NodeAvailability(StrEnum):
    """Whether a node takes tasks: all, no new ones, none at all."""

    ACTIVE = "active"
    PAUSE = "pause"
    DRAIN = "drain"


class NodeState(StrEnum):
    """How a node is, as the managers see it."""

    UNKNOWN = "unknown"
    DOWN = "down"
    READY = "ready"
    DISCONNECTED = "disconnected"


class Reachability(StrEnum):
    """Whether the other managers can reach a manager."""

    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"
    REACHABLE = "reachable"


class NodeSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What users want of a node. Role and Availability are checked where the spec is."""

    Name: str = ""
    Labels: dict[str, str] = field(default_factory=no_labels)
    Role: str = ""
    Availability: str = ""


class Platform(Struct, frozen=True, omit_defaults=True):
    """Architecture as uname or Go spells it, and operating system."""

    Architecture: str = ""
    OS: str = ""


class PluginDescription(Struct, frozen=True, omit_defaults=True):
    """A plugin or built-in driver: Type is Network, Volume, Log or Authorization."""

    Type: str = ""
    Name: str = ""


class EngineDescription(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The engine of a node: version, labels of its configuration, drivers."""

    EngineVersion: str = ""
    Labels: dict[str, str] = field(default_factory=dict)
    Plugins: list[PluginDescription] = field(default_factory=list)


class TLSInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a node trusts: PEM root, and its issuer's raw subject and public key (base64)."""

    TrustRoot: str = ""
    CertIssuerSubject: bytes = b""
    CertIssuerPublicKey: bytes = b""


class NodeCSIInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a storage plugin on a node says of it."""

    PluginName: str = ""
    NodeID: str = ""
    MaxVolumesPerNode: int = 0
    AccessibleTopology: Topology | None = None


class Topology(Struct, frozen=True, omit_defaults=True):
    """Segments by domain: region, zone, as storage plugins name them."""

    Segments: dict[str, str] = field(default_factory=dict)


class NodeDescription(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the agent tells of its node."""

    Hostname: str = ""
    Platform: Platform = field(default_factory=Platform)
    Resources: ResourceObject = field(default_factory=ResourceObject)
    Engine: EngineDescription = field(default_factory=EngineDescription)
    TLSInfo: TLSInfo = field(default_factory=TLSInfo)
    CSIInfo: list[NodeCSIInfo] = field(default_factory=list)


class NodeStatus(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the managers see a node; State is a NodeState."""

    State: str = ""
    Message: str = ""
    Addr: str = ""


class ManagerStatus(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the leader sees a manager; Addr is where it listens, host and port."""

    Leader: bool = False
    Reachability: str = ""
    Addr: str = ""


class Node(ClusterObject, frozen=True, kw_only=True, omit_defaults=True):
    """A node of the cluster: what is wanted, what it says, how it is."""

    Spec: NodeSpec = field(default_factory=NodeSpec)
    Description: NodeDescription = field(default_factory=NodeDescription)
    Status: NodeStatus = field(default_factory=NodeStatus)
    ManagerStatus: ManagerStatus | None = None
