"""Services as orchestrators look at them, made from the store."""

from __future__ import annotations

from collections.abc import Mapping

from manager.core.objects.cluster import Cluster
from manager.core.objects.node import Node
from manager.core.objects.service import Service
from manager.core.orchestrator.rebalance import AUTO, LABEL
from manager.core.orchestrator.view import ServiceView
from manager.core.store.query import View

DEFAULT_HISTORY = 5
"""So many ended tasks are kept per slot where the cluster says nothing."""


def service_view(view: View, service_id: str, nodes: Mapping[str, Node]) -> ServiceView:
    """Return a service with its tasks.

    A service that is no more, but whose tasks are, is seen as one that is being removed.
    """
    cluster = next(iter(view.clusters), None)
    limit = None if cluster is None else cluster.spec.Orchestration.TaskHistoryRetentionLimit
    service = view.services.get(service_id) or Service(id=service_id, is_removed=True)
    return ServiceView(
        service=service,
        tasks=view.tasks.by(service=service_id),
        nodes=nodes,
        log_driver=cluster.spec.TaskDefaults.LogDriver if cluster is not None else None,
        history_limit=DEFAULT_HISTORY if limit is None else limit,
        is_rebalanced=is_rebalanced(view, service),
    )


def is_rebalanced(view: View, service: Service) -> bool:
    """Tell whether a service's tasks may be moved: its label says so, or else the cluster's."""
    cluster = next(iter(view.clusters), None)
    default = "" if cluster is None else rebalancing(cluster)
    return service.spec.Labels.get(LABEL, default) == AUTO


def rebalancing(cluster: Cluster) -> str:
    """Return what the cluster's label says for services that have no such label."""
    return cluster.spec.Labels.get(LABEL, "")
