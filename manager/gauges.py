"""What is measured of a manager whenever somebody asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from manager.consensus.consensus import Consensus
from manager.core.store.tables import TABLES
from manager.ports.metrics import Gauge
from manager.store import Store


def gauges(consensus: Consensus, store: Store) -> Iterable[Gauge]:
    """Yield the quantities of now."""
    status = consensus.status()
    plain = {
        "skep_raft_term": ("The term of now.", status.term),
        "skep_raft_is_leader": ("1 while this manager leads.", status.lead.is_own),
        "skep_raft_has_leader": ("1 while this manager knows a leader.", status.lead.leader != 0),
        "skep_raft_commit_index": ("The last committed entry.", status.commit_index),
        "skep_raft_applied_index": ("The last entry that the state has.", status.applied_index),
        "skep_raft_last_index": ("The last entry of the log.", status.last_index),
        "skep_raft_snapshot_index": ("The last entry of the newest dump.", status.snapshot_index),
        "skep_raft_members": ("Managers, learners included.", len(status.members)),
        "skep_store_version": ("The log index of the last change.", store.view().version),
    }
    for name, (text, value) in plain.items():
        yield Gauge(name, text, [((), float(value))])
    view = store.view()
    objects = [((kind,), float(len(view.rows(table)))) for kind, table in TABLES.items()]
    yield Gauge("skep_store_objects", "Objects by kind.", objects, ("kind",))
    states = Counter(node.status.State or "unknown" for node in view.nodes)
    nodes = [((state,), float(count)) for state, count in sorted(states.items())]
    yield Gauge("skep_nodes", "Nodes by state.", nodes, ("state",))
