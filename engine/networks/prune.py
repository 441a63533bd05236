"""Remove the networks that nothing uses."""

from __future__ import annotations

from collections.abc import Collection

from api.filters import Filters
from api.types.networks import NetworkPruneResponse
from engine.core.container_filters import until_ns as parse_until
from engine.core.network_filters import has_label
from engine.networks.env import NetworksEnv
from engine.networks.predefined import NAMES
from engine.networks.record import NetworkRecord
from engine.networks.remove import NetworkInUse, remove

_KEYS = frozenset({"label", "label!", "until"})


async def prune(
    env: NetworksEnv, wanted: Filters, in_use: Collection[str] = ()
) -> NetworkPruneResponse:
    """Remove the networks without containers that pass the filters; return their names.

    `in_use` are names or ids of networks of containers that do not run.
    Errors:  InvalidFilter, InvalidArgument (until), Internal.
    """
    wanted.check(_KEYS)
    now_ns = env.events.now_ns()
    until_ns = min((parse_until(each, now_ns) for each in wanted.get("until", ())), default=None)
    removed = []
    for record in env.store.all():
        if record.name in in_use or record.id in in_use or not _is_wanted(record, wanted, until_ns):
            continue
        try:
            await remove(env, record.id)
        except NetworkInUse:
            continue
        removed.append(record.name)
    env.events.publish("network", "prune", "", {"reclaimed": "0"})
    return NetworkPruneResponse(removed or None)


def _is_wanted(record: NetworkRecord, wanted: Filters, until_ns: int | None) -> bool:
    return (
        record.name not in NAMES
        and record.overlay is None
        and (until_ns is None or record.created_ns < until_ns)
        and all(has_label(record.labels, each) for each in wanted.get("label", ()))
        and not any(has_label(record.labels, each) for each in wanted.get("label!", ()))
    )
