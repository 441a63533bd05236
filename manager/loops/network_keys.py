"""Keys of encrypted overlay networks come with the first such network, and change in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from manager.core.network_keys import KEPT, NEVER_NS, changed, due_ns, is_encrypted
from manager.core.objects.cluster import Cluster
from manager.core.store.apply import Event
from manager.core.store.query import View
from manager.core.store.tables import CLUSTERS, NETWORKS
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match
from manager.loops.feed import NEVER, follow
from manager.ports.clock import Clock
from manager.ports.store import Store

log = structlog.get_logger(__name__)

_NS = 1_000_000_000
# The time of day may be set while the loop sleeps.
_LONGEST_S = 60.0


class NetworkKeyLoop:
    """Runs while this manager leads. now_ns tells the time of day, new_secret comes by chance."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        now_ns: Callable[[], int],
        new_secret: Callable[[], bytes],
    ) -> None:
        self._store = store
        self._clock = clock
        self._now_ns = now_ns
        self._new_secret = new_secret

    async def run(self) -> None:
        """Keep the keys as they have to be until cancelled."""
        await follow(self, self._store, self._clock, Match(NETWORKS), Match(CLUSTERS))

    def look(self, view: View) -> None:
        """Know nothing: each act looks at what there is."""

    def take(self, event: Event) -> None:
        """Know nothing of it: each act looks at what there is."""

    async def act(self) -> float:
        """Change the keys if that is due; return in how many seconds to look again."""
        view = self._store.view()
        cluster = next(iter(view.clusters), None)
        if cluster is None:
            return NEVER
        left_s = _left_s(cluster, self._now_ns(), is_needed=_is_needed(view))
        if left_s > 0:
            return min(left_s, _LONGEST_S) if left_s != NEVER else NEVER
        await self._change(is_worn=False)
        return 0.0

    async def renew(self) -> None:
        """Change the keys before their time, unless they just did: a node has used up its own."""
        await self._change(is_worn=True)

    async def _change(self, *, is_worn: bool) -> None:
        secrets = [self._new_secret() for _ in range(KEPT)]
        clock = await self._store.update(lambda tx: _change(tx, secrets, is_worn=is_worn))
        log.info("network_keys.changed", clock=clock, is_worn=is_worn)


def _change(tx: Transaction, secrets: Sequence[bytes], *, is_worn: bool) -> int:
    cluster = next(iter(tx.clusters))
    is_needed = _is_needed(tx)
    if _left_s(cluster, tx.now_ns, is_needed=is_needed, is_worn=is_worn) <= 0:
        cluster = changed(cluster, tx.now_ns, secrets, is_needed=is_needed)
        tx.clusters.update(cluster)
    return cluster.network_key_clock


def _left_s(cluster: Cluster, now_ns: int, *, is_needed: bool, is_worn: bool = False) -> float:
    at_ns = due_ns(cluster, is_needed=is_needed, is_worn=is_worn)
    return NEVER if at_ns == NEVER_NS else (at_ns - now_ns) / _NS


def _is_needed(state: View | Transaction) -> bool:
    return any(is_encrypted(each) for each in state.networks)
