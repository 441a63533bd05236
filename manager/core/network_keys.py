"""Keys of encrypted overlay networks: three are held, so that changing them loses no packet.

    next       nodes receive by it already, nobody sends by it yet
    current    nodes send by it
    previous   nodes that were not told yet still send by it

A rotation brings a new `next`; each of the others takes the place behind it, and the oldest goes.
A node that misses one rotation is understood still. There are keys while there is an encrypted
network.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from api.cluster_errors import InvalidSpec
from api.types.swarm import SwarmSpec
from manager.core.objects.cluster import Cluster, NetworkKey
from manager.core.objects.network import Network

KEPT = 3
SECRET_BYTES = 32
ENCRYPTED = "encrypted"
ROTATION_LABEL = "skep.overlay.key-rotation"
"""A label of the swarm: how long a key is the one to send by, as `90s`, `15m` or `6h`."""

_SUBSYSTEM = "ipsec"
_DEFAULT_S = 12 * 3600
_SHORTEST_S = 5
_WORN_S = 60
_UNITS_S = {"s": 1, "m": 60, "h": 3600}
_NS = 1_000_000_000
NEVER_NS = -1


def is_encrypted(network: Network) -> bool:
    """Tell whether what goes between nodes on this network is encrypted."""
    driver = network.spec.DriverConfiguration
    wanted: Iterable[str] = driver.Options if driver is not None else ()
    return ENCRYPTED in wanted or ENCRYPTED in network.driver_state.Options


def keys_of(cluster: Cluster | None) -> tuple[NetworkKey, ...]:
    """Return the keys, the newest first."""
    found = cluster.network_keys if cluster is not None else []
    ours = (each for each in found if each.subsystem == _SUBSYSTEM)
    return tuple(sorted(ours, key=lambda each: each.clock, reverse=True))


def due_ns(cluster: Cluster, *, is_needed: bool, is_worn: bool = False) -> int:
    """Return when the keys have to change: 0 for at once, NEVER_NS while nothing is to be done.

    Where a node has sent much by its key they are worn, and change as soon as all nodes may have
    the newest.
    """
    keys = keys_of(cluster)
    if not is_needed:
        return 0 if keys else NEVER_NS
    if len(keys) < KEPT:
        return 0
    lasts_s = rotation_s(cluster.spec)
    return keys[0].created_ns + (min(lasts_s, _WORN_S) if is_worn else lasts_s) * _NS


def changed(cluster: Cluster, now_ns: int, secrets: Sequence[bytes], *, is_needed: bool) -> Cluster:
    """Return the cluster with the keys that it has to have after a change that is due.

    None where no network is encrypted; one more, and three in all, where one is: `secrets` are
    three fresh ones. Clocks only grow, so that a key is never taken for another one.
    """
    if not is_needed:
        return replace(cluster, network_keys=[])
    keys = [*keys_of(cluster)]
    clock = cluster.network_key_clock
    for secret in secrets[: max(KEPT - len(keys), 1)]:
        clock += 1
        fresh = NetworkKey(subsystem=_SUBSYSTEM, key=secret, clock=clock, created_ns=now_ns)
        keys.insert(0, fresh)
    return replace(cluster, network_keys=keys[:KEPT], network_key_clock=clock)


def rotation_s(spec: SwarmSpec) -> int:
    """Return seconds from one rotation to the next."""
    text = spec.Labels.get(ROTATION_LABEL, "")
    return _parse(text) or _DEFAULT_S


def check_rotation(spec: SwarmSpec) -> None:
    """Refuse a label that says no time. Errors: InvalidSpec."""
    text = spec.Labels.get(ROTATION_LABEL, "")
    if text and (_parse(text) or 0) < _SHORTEST_S:
        raise InvalidSpec(
            f"the label {ROTATION_LABEL} must be a time of {_SHORTEST_S}s or more, as 90s, 15m or "
            f"6h: {text}"
        )


def _parse(text: str) -> int | None:
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS_S or not number.isascii() or not number.isdecimal() or len(number) > 6:
        return None
    return int(number) * _UNITS_S[unit]
