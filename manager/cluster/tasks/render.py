"""Tasks as the API shows them."""

from __future__ import annotations

from api.types.cluster_networks import NetworkAttachment
from api.types.objects import ObjectVersion
from api.types.tasks import Task
from manager.core.cluster_network import find_network, network_to_api
from manager.core.objects.task import Task as StoredTask
from manager.core.objects.times import to_api_time
from manager.core.store.query import View


def to_api(task: StoredTask, view: View) -> Task:
    """Return a task; with its networks as the view has them."""
    return Task(
        ID=task.id,
        Version=ObjectVersion(Index=task.meta.version_index),
        CreatedAt=to_api_time(task.meta.created_ns),
        UpdatedAt=to_api_time(task.meta.updated_ns),
        Spec=task.spec,
        ServiceID=task.service_id,
        Slot=task.shown_slot,
        NodeID=task.node_id,
        Status=task.status,
        DesiredState=task.desired_state,
        NetworksAttachments=[
            NetworkAttachment(Network=network_to_api(network), Addresses=each.addresses)
            for each in task.networks
            if (network := find_network(view, each.network_id)) is not None
        ],
        GenericResources=task.generic_resources,
        JobIteration=None
        if task.job_iteration is None
        else ObjectVersion(Index=task.job_iteration),
        Volumes=task.volumes or None,
    )
