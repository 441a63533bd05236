"""Remove a network of the cluster."""

from __future__ import annotations

from api.cluster_errors import IngressUsed, NetworkUsed
from api.types.tasks import TaskState
from manager.cluster.env import ClusterEnv
from manager.cluster.refs import resolve
from manager.core.allocator.vips import is_on_ingress
from manager.core.objects.task import Task
from manager.core.store.tables import NETWORKS
from manager.core.store.transaction import Transaction


async def remove_network(env: ClusterEnv, ref: str) -> None:
    """Remove a network that no service and no live task is on.

    Errors:  NoSuchNetwork, AmbiguousRef, NetworkUsed, IngressUsed.
    """

    def change(tx: Transaction) -> None:
        network = resolve(NETWORKS, tx.networks, ref)
        services = [each for each in tx.services if not each.is_removed]
        if network.spec.Ingress:
            for service in services:
                if is_on_ingress(service.spec):
                    raise IngressUsed(service.id)
        for service in tx.services.by(network=network.id):
            if not service.is_removed:
                raise NetworkUsed(network.id, "service", service.id)
        for task in tx.tasks.by(network=network.id):
            if _is_needed(task, tx):
                raise NetworkUsed(network.id, "task", task.id)
        tx.networks.remove(network.id)

    await env.store.update(change)


def _is_needed(task: Task, tx: Transaction) -> bool:
    """Tell whether a task is to go on; those of a removed service are about to be told to end."""
    if task.status.State > TaskState.RUNNING or task.desired_state > TaskState.COMPLETE:
        return False
    service = tx.services.get(task.service_id) if task.service_id else None
    return service is None or not service.is_removed
