"""What is given out comes back: networks are as empty after many rounds as before the first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec.structs import replace

from api.types.cluster_networks import (
    ClusterIPAMConfig,
    EndpointSpec,
    IPAMOptions,
    NetworkAttachmentConfig,
    NetworkSpec,
    PortConfig,
)
from api.types.tasks import TaskState
from manager.cluster.attachments import Wish, attach, keep
from manager.cluster.networks.create import add_network, ingress_network
from manager.cluster.networks.remove import remove_network
from manager.cluster.services.remove import remove_service
from manager.core.objects.network import Network
from tests.fakes.service_cluster import ServiceCluster, service_cluster
from tests.unit.manager.core.orchestrator.world import replicas, spec

ROUNDS = 20


@asynccontextmanager
async def meshed_cluster() -> AsyncIterator[ServiceCluster]:
    """Lend a cluster with the ingress network, on which services are that publish ports."""
    async with service_cluster() as cluster:
        await cluster.store.update(lambda tx: add_network(tx, ingress_network()))
        yield cluster


async def add(cluster: ServiceCluster, number: int) -> str:
    """Add a network whose only subnet has five addresses to give; return its id."""
    subnet = IPAMOptions(Configs=[ClusterIPAMConfig(Subnet="10.9.0.0/29")])
    made = Network(
        id=f"net{number}",
        spec=NetworkSpec(Name=f"name{number}", Attachable=True, IPAMOptions=subnet),
    )
    await cluster.store.update(lambda tx: add_network(tx, made))
    return made.id


async def serve(cluster: ServiceCluster, network_id: str, count: int) -> str:
    """Have a service of so many tasks run on a network, with the only port; return its id."""
    port = PortConfig(Protocol="tcp", TargetPort=80, PublishedPort=8080)
    wanted = spec(replicas(count), Networks=[NetworkAttachmentConfig(Target=network_id)])
    endpoint = EndpointSpec(Ports=[port])
    service_id = await cluster.create(replace(wanted, EndpointSpec=endpoint))
    await cluster.settle(lambda: len(cluster.running(service_id)) == count)
    return service_id


async def end(cluster: ServiceCluster, service_id: str) -> None:
    """Remove a service, and see the last of it go."""
    await remove_service(cluster.cluster.env, service_id)
    await cluster.settle(lambda: not cluster.tasks(service_id))


async def test_networks_that_come_and_go_take_nothing_along() -> None:
    """The same subnet, port and name can be had again and again."""
    async with meshed_cluster() as cluster:
        for number in range(ROUNDS):
            network_id = await add(cluster, number % 2)
            await end(cluster, await serve(cluster, network_id, 1))
            await remove_network(cluster.cluster.env, network_id)

        assert [] == [*cluster.store.view().tasks]


async def test_a_network_gives_all_its_addresses_whatever_was_before() -> None:
    """Services, containers, and tasks that failed had them: each comes back, and none twice."""
    async with meshed_cluster() as cluster:
        network_id = await add(cluster, 1)
        store, clock = cluster.store, cluster.clock
        for number in range(ROUNDS):
            await attach(store, clock, "w1", f"c{number}", Wish(network_id, []))
            service_id = await serve(cluster, network_id, 2)
            if number % 3 == 0:
                task = cluster.running(service_id)[0]
                await cluster.agents[task.node_id].say(task.id, TaskState.FAILED)
            await end(cluster, service_id)
            await keep(store, "w1", [])

        service_id = await serve(cluster, network_id, 4)

        places = [place for each in cluster.running(service_id) for place in each.networks]
        given = [each.addresses[0] for each in places if each.network_id == network_id]
        virtual = cluster.service(service_id).endpoint.VirtualIPs
        given += [each.Addr for each in virtual if each.NetworkID == network_id]
        assert {f"10.9.0.{number}/29" for number in range(2, 7)} == set(given)
