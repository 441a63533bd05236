"""Services from their spec to running tasks: all loops of the leader, and agents that pretend."""

from __future__ import annotations

from msgspec.structs import replace

from api.types.cluster_networks import EndpointSpec, NetworkAttachmentConfig, PortConfig
from api.types.nodes import NodeSpec
from api.types.services import ReplicatedService, ServiceMode, ServiceSpec, UpdateConfig
from api.types.tasks import Placement, RestartPolicy, TaskState
from manager.cluster.networks.create import add_network, ingress_network
from manager.cluster.services.remove import remove_service
from manager.cluster.swarm.update import Rotations, update_swarm
from manager.core.allocator.allocation import IngressMissing
from manager.core.objects.task import Task, TaskNetwork
from tests.fakes.service_cluster import ServiceCluster, service_cluster
from tests.unit.manager.core.orchestrator.world import GLOBAL, job, replicas, spec

S = TaskState
AT_ONCE = RestartPolicy(Delay=0)


def scaled(wanted: ServiceSpec, number: int) -> ServiceSpec:
    return replace(wanted, Mode=ServiceMode(Replicated=ReplicatedService(number)))


def update_state(cluster: ServiceCluster, service_id: str) -> str:
    status = cluster.service(service_id).update_status
    return "" if status is None else status.State


def image(task: Task) -> str:
    assert task.spec.ContainerSpec is not None
    return task.spec.ContainerSpec.Image


async def up(cluster: ServiceCluster, service_id: str, number: int) -> None:
    await cluster.settle(lambda: len(cluster.running(service_id)) == number)


async def test_replicas_reach_running_on_all_nodes() -> None:
    async with service_cluster() as cluster:
        service_id = await cluster.create(spec(replicas(4)))

        await up(cluster, service_id, 4)

        assert {"w1": 2, "w2": 2} == {n: len(a.tasks()) for n, a in cluster.agents.items()}
        assert [1, 2, 3, 4] == sorted(task.slot for task in cluster.running(service_id))


async def test_scale_to_none_leaves_nothing() -> None:
    async with service_cluster() as cluster:
        wanted = spec(replicas(3))
        service_id = await cluster.create(wanted)
        await up(cluster, service_id, 3)

        await cluster.change(service_id, scaled(wanted, 0))

        await cluster.settle(lambda: not cluster.tasks(service_id))
        await cluster.settle(lambda: not any(a.assigned for a in cluster.agents.values()))


async def test_removed_service_takes_its_tasks_along() -> None:
    """The name is free at once; the tasks end one by one, and nobody is left to own them."""
    async with service_cluster() as cluster:
        service_id = await cluster.create(spec(replicas(3)))
        await up(cluster, service_id, 3)

        await remove_service(cluster.cluster.env, "web")

        await cluster.settle(lambda: not cluster.tasks(service_id))
        await cluster.settle(lambda: not any(a.tasks() for a in cluster.agents.values()))


async def test_failed_task_is_replaced() -> None:
    async with service_cluster() as cluster:
        service_id = await cluster.create(spec(replicas(1), restart=AT_ONCE))
        await up(cluster, service_id, 1)
        first = cluster.running(service_id)[0]

        await cluster.agents[first.node_id].say(first.id, S.FAILED)

        await cluster.settle(
            lambda: [t.slot for t in cluster.running(service_id) if t.id != first.id] == [1]
        )


async def test_update_replaces_all_and_ends() -> None:
    async with service_cluster() as cluster:
        config = UpdateConfig(Parallelism=1, Monitor=10**9)
        service_id = await cluster.create(spec(replicas(3), update=config))
        await up(cluster, service_id, 3)

        await cluster.change(service_id, spec(replicas(3), "b", update=config))

        await cluster.settle(lambda: "completed" == update_state(cluster, service_id))
        assert {"b"} == {image(task) for task in cluster.running(service_id)}


async def test_job_runs_to_its_end_once() -> None:
    async with service_cluster() as cluster:
        for agent in cluster.agents.values():
            agent.becomes = lambda _: S.COMPLETE

        service_id = await cluster.create(spec(job(2, 5)))

        await cluster.settle(
            lambda: [S.COMPLETE] * 5 == [t.status.State for t in cluster.tasks(service_id)]
        )


async def test_global_service_follows_nodes() -> None:
    async with service_cluster() as cluster:
        service_id = await cluster.create(spec(GLOBAL))
        await up(cluster, service_id, 2)

        await cluster.cluster.change_node(
            "w1", lambda n: replace(n, spec=NodeSpec(Role="worker", Availability="drain"))
        )

        await up(cluster, service_id, 1)
        await cluster.cluster.change_node(
            "w1", lambda n: replace(n, spec=NodeSpec(Role="worker", Availability="active"))
        )
        await up(cluster, service_id, 2)


async def test_silent_node_loses_its_tasks_to_another() -> None:
    async with service_cluster() as cluster:
        service_id = await cluster.create(spec(replicas(2)))
        await up(cluster, service_id, 2)

        await cluster.agents["w1"].leave()
        await cluster.cluster.change_node(
            "w1", lambda n: replace(n, status=replace(n.status, State="down"))
        )

        await cluster.settle(
            lambda: ["w2", "w2"] == [task.node_id for task in cluster.running(service_id)]
        )


async def test_node_that_no_longer_fits_is_emptied() -> None:
    async with service_cluster() as cluster:
        for node_id in ("w1", "w2"):
            await cluster.cluster.change_node(
                node_id, lambda n: replace(n, spec=replace(n.spec, Labels={"disk": "ssd"}))
            )
        placement = Placement(Constraints=["node.labels.disk==ssd"])
        service_id = await cluster.create(spec(replicas(2), restart=AT_ONCE, Placement=placement))
        await up(cluster, service_id, 2)

        await cluster.cluster.change_node(
            "w1", lambda n: replace(n, spec=replace(n.spec, Labels={}))
        )

        await cluster.settle(
            lambda: ["w2", "w2"] == [task.node_id for task in cluster.running(service_id)]
        )


async def test_impossible_constraint_is_told_and_heals() -> None:
    async with service_cluster() as cluster:
        placement = Placement(Constraints=["node.labels.disk==ssd"])
        service_id = await cluster.create(spec(replicas(1), Placement=placement))
        await cluster.settle(lambda: any(t.status.Err for t in cluster.tasks(service_id)))

        assert "no suitable node" in cluster.tasks(service_id)[0].status.Err
        await cluster.cluster.change_node(
            "w1", lambda n: replace(n, spec=replace(n.spec, Labels={"disk": "ssd"}))
        )

        await up(cluster, service_id, 1)


async def test_published_ports_are_chosen_and_given_to_tasks() -> None:
    """Not before there is the ingress network, over which they are reached."""
    async with service_cluster() as cluster:
        wanted = replace(
            spec(replicas(1)), EndpointSpec=EndpointSpec(Ports=[PortConfig(TargetPort=80)])
        )

        service_id = await cluster.create(wanted)

        await cluster.settle(
            lambda: (
                [each.status.Err for each in cluster.tasks(service_id)]
                == [IngressMissing().message]
            )
        )
        await cluster.store.update(lambda tx: add_network(tx, ingress_network()))
        await up(cluster, service_id, 1)
        (port,) = cluster.service(service_id).endpoint.Ports
        assert 30000 <= port.PublishedPort
        assert [port] == cluster.running(service_id)[0].endpoint.Ports


async def test_task_on_the_nodes_own_network_is_told_of_it() -> None:
    async with service_cluster() as cluster:
        networks = [NetworkAttachmentConfig(Target="none")]
        service_id = await cluster.create(spec(replicas(1), Networks=networks))

        await up(cluster, service_id, 1)

        assert [TaskNetwork(network_id="none")] == cluster.tasks(service_id)[0].networks
        told = [item for a in cluster.agents.values() for item in a.assigned.values()]
        assert {"none"} <= {item.ID for item in told}


async def test_new_leader_goes_on_where_the_old_one_stopped() -> None:
    async with service_cluster() as cluster:
        wanted = spec(replicas(3))
        service_id = await cluster.create(wanted)
        await up(cluster, service_id, 3)
        await cluster.depose()
        await cluster.change(service_id, scaled(wanted, 5))

        cluster.lead()

        await up(cluster, service_id, 5)


async def test_removed_node_makes_orphans() -> None:
    async with service_cluster() as cluster:
        service_id = await cluster.create(spec(replicas(2)))
        await up(cluster, service_id, 2)
        lost = [task.id for task in cluster.tasks(service_id) if task.node_id == "w1"]
        await cluster.agents["w1"].leave()

        await cluster.store.update(lambda tx: tx.nodes.remove("w1"))

        await up(cluster, service_id, 2)
        await cluster.settle(lambda: not any(each in cluster.store.view().tasks for each in lost))


async def test_tasks_of_a_node_that_stays_down_are_given_up_after_a_day() -> None:
    async with service_cluster() as cluster:
        service_id = await cluster.create(spec(replicas(2)))
        await up(cluster, service_id, 2)
        (lost,) = (task.id for task in cluster.tasks(service_id) if task.node_id == "w1")
        await cluster.agents["w1"].leave()
        await cluster.cluster.change_node(
            "w1", lambda n: replace(n, status=replace(n.status, State="down"))
        )
        await cluster.settle(
            lambda: ["w2", "w2"] == [task.node_id for task in cluster.running(service_id)]
        )
        assert S.RUNNING is cluster.store.view().tasks.need(lost).status.State

        cluster.advance(24 * 3600)

        await cluster.settle(lambda: lost not in cluster.store.view().tasks)


async def test_cluster_itself_may_ask_for_even_nodes_and_a_service_may_decline() -> None:
    """Without a label of their own all services are evened out, from when the cluster says so."""
    async with service_cluster() as cluster:
        await drain(cluster, "w2", "drain")
        service_ids = [
            await cluster.create(replace(spec(replicas(4)), Name=name, Labels=labels))
            for name, labels in (("moved", {}), ("kept", {"skep.rebalance": "off"}))
        ]
        for service_id in service_ids:
            await up(cluster, service_id, 4)
        await drain(cluster, "w2", "active")

        await label_swarm(cluster, {"skep.rebalance": "auto"})

        moved, kept = service_ids
        await cluster.settle(lambda: ["w1", "w1", "w2", "w2"] == nodes_of(cluster, moved))
        assert ["w1"] * 4 == nodes_of(cluster, kept)


async def drain(cluster: ServiceCluster, node_id: str, availability: str) -> None:
    await cluster.cluster.change_node(
        node_id, lambda n: replace(n, spec=replace(n.spec, Availability=availability))
    )


async def label_swarm(cluster: ServiceCluster, labels: dict[str, str]) -> None:
    (swarm,) = cluster.store.view().clusters
    wanted = replace(swarm.spec, Labels=labels)
    await update_swarm(cluster.cluster.env, swarm.meta.version_index, wanted, Rotations())


def nodes_of(cluster: ServiceCluster, service_id: str) -> list[str]:
    return sorted(task.node_id for task in cluster.running(service_id))
