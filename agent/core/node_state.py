"""What a node remembers of its swarm besides its certificate; kept as node.json."""

from __future__ import annotations

from msgspec import Struct

from agent.core.addresses import Addresses

VERSION = 1


class KnownManager(Struct, frozen=True, rename="camel"):
    """A manager: its node id ("" where only the address is known) and where it listens."""

    node_id: str
    address: str


class PendingJoin(Struct, frozen=True, kw_only=True, rename="camel"):
    """A join that has no certificate yet; the token goes from the disk as soon as it has one."""

    remotes: tuple[str, ...]
    token: str
    availability: str = ""


class NodeState(Struct, frozen=True, kw_only=True, rename="camel"):
    """Addresses as in `Addresses`; `pending` while the node has not got its certificate."""

    listen: str
    advertise: str
    local: str
    data_path: str = ""
    managers: tuple[KnownManager, ...] = ()
    pending: PendingJoin | None = None
    version: int = VERSION


def first_state(addresses: Addresses, pending: PendingJoin | None = None) -> NodeState:
    """Return the state of a node that begins or joins a swarm."""
    remotes = pending.remotes if pending is not None else (addresses.advertise,)
    return NodeState(
        listen=addresses.listen,
        advertise=addresses.advertise,
        local=addresses.local,
        data_path=addresses.data_path,
        managers=tuple(KnownManager("", each) for each in remotes),
        pending=pending,
    )
