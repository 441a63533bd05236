"""The one object of the cluster."""

from __future__ import annotations

from api.swarm_errors import ManagerNotReady
from manager.core.objects.cluster import Cluster
from manager.core.store.query import Rows


def the_cluster(rows: Rows[Cluster]) -> Cluster:
    """Return the cluster. Errors: ManagerNotReady before this manager knows of it."""
    for cluster in rows:
        return cluster
    raise ManagerNotReady
