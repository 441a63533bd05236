"""The cluster itself: its spec, its authority, its keys. There is one object of this kind."""

from __future__ import annotations

from msgspec import Struct, field

from api.types.swarm import SwarmSpec
from manager.core.objects.meta import StoredObject

CLUSTER_NAME = "default"


class RootRotation(Struct, frozen=True, kw_only=True):
    """The root that is to come; texts are PEM. The key is "" where others sign."""

    certificate: str
    key: str = ""
    cross_signed: str = ""

    def __repr__(self) -> str:
        return "RootRotation(...)"  # an object may get into a log line, its key may not


class RootCA(Struct, frozen=True, kw_only=True):
    """The root of trust, and the tokens of those who may join. Texts are PEM.

    The key is "" where an external authority signs. digest is that of the certificate, as tokens
    carry it. rotation is set while nodes are being moved to a new root; last_forced is the
    ForceRotate of the spec that was obeyed last.
    """

    certificate: str = ""
    key: str = ""
    digest: str = ""
    worker_token: str = ""
    manager_token: str = ""
    rotation: RootRotation | None = None
    last_forced: int = 0

    def __repr__(self) -> str:
        return f"RootCA(digest={self.digest!r}, is_rotating={self.rotation is not None})"


class NetworkKey(Struct, frozen=True, kw_only=True):
    """A key of encrypted overlay networks: subsystem is `ipsec`; later clocks are newer.

    created_ns is since the epoch.
    """

    subsystem: str
    algorithm: int = 0
    key: bytes = b""
    clock: int = 0
    created_ns: int = 0

    def __repr__(self) -> str:
        return f"NetworkKey(subsystem={self.subsystem!r}, clock={self.clock})"


class LastGiven(Struct, frozen=True, kw_only=True):
    """What networks were given last: the next ones get what follows, not what was just let go.

    Nodes may still have the networks that it was of. "" and 0 where nothing was given yet.
    """

    vni: int = 0
    subnet4: str = ""
    subnet6: str = ""


class Cluster(StoredObject, frozen=True, kw_only=True):
    """The cluster. removed_nodes holds when the certificate of a removed node ends (ns).

    unlock_key is what managers need after a restart while the spec's AutoLockManagers is on.
    """

    spec: SwarmSpec = field(default_factory=SwarmSpec)
    root: RootCA = field(default_factory=RootCA)
    unlock_key: bytes = b""
    removed_nodes: dict[str, int] = field(default_factory=dict)
    network_keys: list[NetworkKey] = field(default_factory=list)
    network_key_clock: int = 0
    address_pools: list[str] = field(default_factory=list)
    subnet_size: int = 24
    data_path_port: int = 4789
    last_given: LastGiven = LastGiven()

    def __repr__(self) -> str:
        return f"Cluster(id={self.id!r}, meta={self.meta!r})"
