"""List networks."""

from __future__ import annotations

from api.filters import Filters, InvalidFilter
from api.types.networks import Network
from engine.core.network_filters import KEYS, matches
from engine.networks.env import NetworksEnv
from engine.networks.inspect import summary
from engine.networks.predefined import NAMES


async def list_networks(env: NetworksEnv, wanted: Filters) -> list[Network]:
    """Return the networks that pass every filter, oldest first. Errors: InvalidFilter."""
    wanted.check(KEYS)
    dangling = wanted.flag("dangling")
    kinds = set(wanted.get("type", ()))
    if unknown := kinds - {"builtin", "custom"}:
        raise InvalidFilter(f"type={unknown.pop()}")
    shown = []
    for record in env.store.all():
        network = summary(record)
        kind = "builtin" if record.name in NAMES else "custom"
        is_dangling = kind == "custom" and not env.store.sandboxes_on(record.id)
        if (
            matches(network, wanted)
            and (not kinds or kind in kinds)
            and (dangling is None or dangling == is_dangling)
        ):
            shown.append(network)
    return shown
