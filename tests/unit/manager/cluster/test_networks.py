"""Networks of the cluster: kept while something needs them, and free at once when nothing does."""

from __future__ import annotations

import pytest

from api.cluster_errors import NetworkUsed
from api.types.cluster_networks import NetworkAttachmentConfig
from api.types.container_spec import ContainerSpec
from api.types.networks import NetworkCreateRequest
from api.types.services import ServiceSpec
from api.types.tasks import TaskSpec, TaskState, TaskStatus
from manager.cluster.networks.create import create_network
from manager.cluster.networks.remove import remove_network
from manager.cluster.services.create import create_service
from manager.cluster.services.remove import remove_service
from manager.core.objects.task import Task, TaskNetwork
from tests.fakes.small_cluster import SmallCluster, small_cluster

NET = NetworkCreateRequest(Name="net", Driver="overlay")


async def stack_of_one(cluster: SmallCluster) -> str:
    """Make a network and a service on it with a task that runs; return the service's id."""
    network = await create_network(cluster.env, NET)
    template = TaskSpec(
        ContainerSpec=ContainerSpec(Image="busybox"),
        Networks=[NetworkAttachmentConfig(Target="net")],
    )
    service = await create_service(cluster.env, ServiceSpec(Name="web", TaskTemplate=template))
    task = Task(
        id="t1",
        service_id=service.ID,
        node_id="m1",
        status=TaskStatus(State=TaskState.RUNNING),
        desired_state=TaskState.RUNNING,
        networks=[TaskNetwork(network_id=network.Id)],
    )
    await cluster.store.update(lambda tx: tx.tasks.create(task))
    return service.ID


async def test_network_of_a_service_stays() -> None:
    async with small_cluster() as cluster:
        await stack_of_one(cluster)

        with pytest.raises(NetworkUsed):
            await remove_network(cluster.env, "net")


async def test_network_of_a_removed_service_may_be_taken_away_and_its_name_again() -> None:
    """As `docker stack rm` does at once, before anybody has told the tasks to end."""
    async with small_cluster() as cluster:
        await remove_service(cluster.env, await stack_of_one(cluster))

        await remove_network(cluster.env, "net")

        await create_network(cluster.env, NET)
