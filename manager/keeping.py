"""How much of its log a manager keeps, as the cluster's spec has it."""

from __future__ import annotations

from contextlib import suppress

from manager.consensus.consensus import Consensus
from manager.core.store.errors import LaggedBehind
from manager.core.store.tables import CLUSTERS
from manager.core.store.watch import Match
from manager.store import Store


async def follow_raft_spec(store: Store, consensus: Consensus) -> None:
    """Keep SnapshotInterval and LogEntriesForSlowFollowers in force until cancelled."""
    while True:
        with suppress(LaggedBehind), store.watch(Match(CLUSTERS)) as changes:
            while True:
                for cluster in store.view().clusters:
                    raft = cluster.spec.Raft
                    consensus.keep(
                        snapshot_entries=raft.SnapshotInterval,
                        trailing_entries=raft.LogEntriesForSlowFollowers,
                    )
                await anext(changes)
