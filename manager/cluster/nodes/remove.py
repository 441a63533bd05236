"""Remove a node from the cluster for good."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from api.cluster_errors import ManagerNotDemoted, NodeNotDown
from api.types.nodes import NodeState
from manager.cluster.env import ClusterEnv
from manager.cluster.refs import resolve
from manager.core.objects.cluster import Cluster
from manager.core.store.tables import NODES
from manager.core.store.transaction import Transaction
from manager.core.swarm_spec import DEFAULT_CERTIFICATE_LIFE_NS

# A certificate may have been issued just before, by a clock that is ahead.
_SLACK_NS = 3600 * 1_000_000_000


async def remove_node(env: ClusterEnv, ref: str, *, force: bool) -> None:
    """Forget a node; its certificate opens nothing any more.

    Errors:  NoSuchNode, AmbiguousRef; ManagerNotDemoted while it is a member of raft; NodeNotDown
             while it is up, without `force`.
    """
    members = {each.node_id for each in env.members.known()}

    def change(tx: Transaction) -> None:
        node = resolve(NODES, tx.nodes, ref)
        if node.id in members:
            raise ManagerNotDemoted(node.id)
        if node.status.State == NodeState.READY and not force:
            raise NodeNotDown(node.id)
        tx.nodes.remove(node.id)
        for cluster in tx.clusters:
            ends_ns = certificate_end_ns(cluster, tx.now_ns)
            removed = {**_still_valid(cluster.removed_nodes, tx.now_ns), node.id: ends_ns}
            tx.clusters.update(replace(cluster, removed_nodes=removed))

    await env.store.update(change)


def certificate_end_ns(cluster: Cluster, now_ns: int) -> int:
    """Return when the last certificate that a node may have has ended."""
    life_ns = max(cluster.spec.CAConfig.NodeCertExpiry, DEFAULT_CERTIFICATE_LIFE_NS)
    return now_ns + life_ns + _SLACK_NS


def _still_valid(removed: Mapping[str, int], now_ns: int) -> dict[str, int]:
    """Return the removed nodes whose certificates have not ended by themselves."""
    return {node_id: ends_ns for node_id, ends_ns in removed.items() if ends_ns > now_ns}
