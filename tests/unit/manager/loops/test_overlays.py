"""Nodes hear of networks, of who is on them, and who may be given something to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from secrets import token_bytes

import pytest
from msgspec.structs import replace

from api.addresses import AddressOutside
from api.cluster_errors import FailedPrecondition
from api.errors import SkepError
from api.types.cluster_networks import (
    EndpointSpec,
    NetworkAttachmentConfig,
    NetworkSpec,
    PortConfig,
)
from api.types.objects import Driver
from api.types.services import ServiceSpec
from api.types.tasks import UNHEALTHY, TaskState, TaskStatus
from manager.cluster.attachments import NotAttachable, Wish, attach, keep
from manager.cluster.networks.create import add_network, ingress_network
from manager.core.dispatcher.arrival import inherited
from manager.core.dispatcher.network_members import Endpoint, Member, is_target
from manager.core.dispatcher.overlays import NetworkChange
from manager.core.objects.cluster import NetworkKey
from manager.core.objects.network import Network
from manager.core.objects.task import Task
from manager.loops.network_keys import NetworkKeyLoop
from manager.loops.overlays import OverlayLoop
from tests.fakes.service_cluster import ServiceCluster, service_cluster
from tests.unit.manager.core.orchestrator.world import replicas, spec

S = TaskState
NET = NetworkAttachmentConfig(Target="net", Aliases=["alias"])


class Ear:
    """What one node was told, folded together."""

    def __init__(self) -> None:
        self.networks: dict[str, tuple[dict[str, Member], dict[str, Endpoint]]] = {}
        self.keys: tuple[NetworkKey, ...] = ()
        self.sequence = 0
        self.messages: list[NetworkChange] = []

    def hear(self, change: NetworkChange) -> None:
        """Take in a change."""
        if change.is_gone:
            del self.networks[change.network_id]
            return
        if change.network is not None:
            self.networks[change.network_id] = {}, {}
        members, services = self.networks[change.network_id]
        members.update({each.id: each for each in change.members})
        services.update({each.id: each for each in change.services})
        for each in change.removed_members:
            del members[each]
        for each in change.removed_services:
            del services[each]
        for part in change.targets:
            before = dict(services[part.service_id].targets)
            after = {**before, **dict(part.targets)}
            assert set(part.removed) <= after.keys()
            targets = tuple((id_, each) for id_, each in after.items() if id_ not in part.removed)
            services[part.service_id] = replace(services[part.service_id], targets=targets)
        self.messages.append(change)

    def targets(self, network_id: str, service_id: str) -> set[str]:
        """Return the targets of a service."""
        if network_id not in self.networks:
            return set()
        service = self.networks[network_id][1].get(service_id)
        return {member_id for member_id, _ in service.targets} if service is not None else set()


class Bed:
    """A cluster with a network, and nodes that listen."""

    def __init__(self, cluster: ServiceCluster, *, takes_targets: bool) -> None:
        self.cluster = cluster
        self.takes_targets = takes_targets
        self.loop = OverlayLoop(cluster.store, cluster.clock, cluster.sessions)
        self.ears = {node_id: Ear() for node_id in cluster.agents}
        self._listening: dict[str, asyncio.Task[None]] = {}

    def begin(self, node_id: str) -> None:
        """Let a node hear what it is told."""
        self._listening[node_id] = asyncio.create_task(self.listen(node_id))

    async def hang_up(self, node_id: str) -> None:
        """Let its connection break."""
        listening = self._listening.pop(node_id)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

    async def close(self) -> None:
        """Let all of them break."""
        for each in list(self._listening):
            await self.hang_up(each)

    async def listen(self, node_id: str) -> None:
        """Hear all that a node is told."""
        session_id = self.cluster.agents[node_id].session_id
        ear = self.ears[node_id]
        with suppress(SkepError):
            told = self.loop.changes(node_id, session_id, takes_targets=self.takes_targets)
            async for news in told:
                if news.is_complete:
                    ear.networks.clear()
                    ear.keys = ()
                ear.keys = ear.keys if news.keys is None else news.keys
                for change in news.changes:
                    ear.hear(change)
                ear.sequence = news.sequence


@asynccontextmanager
async def bed(*, takes_targets: bool = True) -> AsyncIterator[Bed]:
    """Lend a cluster of two workers with a network `net`."""
    async with service_cluster(workers=2) as cluster:
        network = Network(id="net", spec=NetworkSpec(Name="net_name", Attachable=True))
        await cluster.store.update(lambda tx: add_network(tx, network))
        made = Bed(cluster, takes_targets=takes_targets)
        running = asyncio.ensure_future(made.loop.run())
        for each in made.ears:
            made.begin(each)
        try:
            yield made
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await made.close()


def on_net(number: int) -> ServiceSpec:
    """Return a service of so many tasks on the network."""
    return spec(replicas(number), Networks=[NET])


async def test_every_node_of_a_network_hears_of_all_its_tasks() -> None:
    """With addresses of their own, the service's address, and its names."""
    async with bed() as it:
        service_id = await it.cluster.create(on_net(2))
        await it.cluster.settle(
            lambda: all(len(ear.targets("net", service_id)) == 2 for ear in it.ears.values())
        )

        members, services = it.ears["w1"].networks["net"]
        service = it.cluster.service(service_id)
        assert services[service_id].names == (service.spec.Name, "alias")
        assert len(services[service_id].addresses) == 1
        given = {address for each in members.values() for address in each.addresses}
        assert len(given | set(services[service_id].addresses)) == 3
        assert {each.node_id for each in members.values()} == {"w1", "w2"}


async def test_a_task_is_no_target_before_it_runs_and_none_when_it_is_to_end() -> None:
    """It is a member all the while, so that what it has goes on."""
    async with bed() as it:
        for agent in it.cluster.agents.values():
            agent.becomes = lambda _: S.STARTING
            agent.holds_stops = True
        service_id = await it.cluster.create(on_net(2))
        await it.cluster.settle(
            lambda: all(len(ear.networks.get("net", ({}, {}))[0]) == 2 for ear in it.ears.values())
        )
        assert it.ears["w1"].targets("net", service_id) == set()

        for agent in it.cluster.agents.values():
            agent.becomes = lambda _: S.RUNNING
            await agent.work()
        await it.cluster.settle(lambda: len(it.ears["w1"].targets("net", service_id)) == 2)
        await it.cluster.change(service_id, replace(on_net(1), Name=it_name(it, service_id)))
        await it.cluster.settle(lambda: len(it.ears["w1"].targets("net", service_id)) == 1)
        assert len(it.ears["w1"].networks["net"][0]) == 2


def it_name(it: Bed, service_id: str) -> str:
    """Return the service's name."""
    return it.cluster.service(service_id).spec.Name


async def test_a_node_without_tasks_on_a_network_hears_nothing_of_it() -> None:
    """And of its end, when the last task there is gone."""
    async with bed() as it:
        service_id = await it.cluster.create(on_net(1))
        await it.cluster.settle(
            lambda: any(ear.targets("net", service_id) for ear in it.ears.values())
        )

        (has,) = [ear for ear in it.ears.values() if "net" in ear.networks]
        await it.cluster.change(service_id, replace(on_net(0), Name=it_name(it, service_id)))
        await it.cluster.settle(lambda: "net" not in has.networks)


async def test_all_nodes_are_on_the_ingress_network_and_hear_of_published_ports() -> None:
    """With addresses that no task has."""
    async with bed() as it:
        network = ingress_network()
        await it.cluster.store.update(lambda tx: add_network(tx, network))
        endpoint = EndpointSpec(Ports=[PortConfig(Protocol="tcp", TargetPort=80)])
        service_id = await it.cluster.create(
            replace(spec(replicas(1)), EndpointSpec=endpoint, Name="web")
        )
        await it.cluster.settle(
            lambda: all(ear.targets(network.id, service_id) for ear in it.ears.values())
        )

        members, services = it.ears["w1"].networks[network.id]
        assert {"w1", "w2"} < set(members)
        assert services[service_id].ports[0].PublishedPort == 30000
        assert len({each.addresses for each in members.values()}) == len(members)


def test_a_task_that_is_found_unhealthy_is_no_target_while_it_ends() -> None:
    """Its node stops it only then."""
    well = Task(
        id="t",
        node_id="n",
        desired_state=S.RUNNING,
        status=TaskStatus(State=S.RUNNING, Err="what was wrong before it ran"),
    )

    assert is_target(well)
    assert not is_target(replace(well, status=replace(well.status, Err=UNHEALTHY)))


async def test_a_node_that_is_removed_is_on_the_ingress_network_no_more() -> None:
    """No table keeps an entry for it, and no tunnel takes in what it sends."""
    async with bed() as it:
        network = ingress_network()
        await it.cluster.store.update(lambda tx: add_network(tx, network))
        ear = it.ears["w1"]
        await it.cluster.settle(
            lambda: {"w1", "w2"} <= set(ear.networks.get(network.id, ({}, {}))[0])
        )

        await it.cluster.store.update(lambda tx: tx.nodes.remove("w2"))

        await it.cluster.settle(lambda: "w2" not in ear.networks[network.id][0])


def once() -> Callable[[], bool]:
    """Return a condition that is met at the second look."""
    looks = iter((False, True))
    return lambda: next(looks)


async def test_settled_waits_for_every_node_and_not_for_ever() -> None:
    """A task is stopped when all know, or after a while."""
    async with bed() as it:
        service_id = await it.cluster.create(on_net(2))
        await it.cluster.settle(
            lambda: all(len(ear.targets("net", service_id)) == 2 for ear in it.ears.values())
        )
        sessions = {each: agent.session_id for each, agent in it.cluster.agents.items()}

        waiting = asyncio.ensure_future(it.loop.settled("w1", sessions["w1"], 1000.0))
        it.loop.confirm("w1", sessions["w1"], it.ears["w1"].sequence)
        await it.cluster.settle(once())
        assert not waiting.done()
        it.loop.confirm("w2", sessions["w2"], it.ears["w2"].sequence)
        await it.cluster.settle(waiting.done)
        assert waiting.result()

        await it.cluster.change(service_id, replace(on_net(3), Name=it_name(it, service_id)))
        await it.cluster.settle(lambda: len(it.ears["w1"].targets("net", service_id)) == 3)
        late = asyncio.ensure_future(it.loop.settled("w1", sessions["w1"], 1.0))
        await it.cluster.settle(late.done)
        assert not late.result()


async def test_settled_waits_for_nodes_that_have_not_come_to_a_new_leader_yet() -> None:
    """They may still lead to a task that others have come to end."""
    async with bed() as it:
        sessions = {each: agent.session_id for each, agent in it.cluster.agents.items()}
        await it.cluster.settle(lambda: all(ear.sequence for ear in it.ears.values()))
        for each, session_id in sessions.items():
            it.loop.confirm(each, session_id, it.ears[each].sequence)
        before = it.cluster.store.view().nodes.need("w2")
        await it.cluster.cluster.change_node("w2", inherited)

        waiting = asyncio.ensure_future(it.loop.settled("w1", sessions["w1"], 1000.0))
        for _ in range(20):
            await it.cluster.settle(once())
        while_it_is_away = waiting.done()
        await it.cluster.cluster.change_node("w2", lambda node: replace(node, status=before.status))
        await it.cluster.settle(waiting.done)

        assert not while_it_is_away
        assert waiting.result()


async def test_settled_waits_for_a_node_whose_connection_broke() -> None:
    """It leads to the task until it is back and has heard, or is known to be down."""
    async with bed() as it:
        sessions = {each: agent.session_id for each, agent in it.cluster.agents.items()}
        await it.cluster.settle(lambda: all(ear.sequence for ear in it.ears.values()))
        it.loop.confirm("w1", sessions["w1"], it.ears["w1"].sequence)
        await it.hang_up("w2")

        waiting = asyncio.ensure_future(it.loop.settled("w1", sessions["w1"], 1000.0))
        for _ in range(20):
            await it.cluster.settle(once())
        while_it_is_away = waiting.done()
        it.ears["w2"].sequence = 0
        it.begin("w2")
        await it.cluster.settle(lambda: it.ears["w2"].sequence > 0)
        before_it_confirmed = waiting.done()
        it.loop.confirm("w2", sessions["w2"], it.ears["w2"].sequence)
        await it.cluster.settle(waiting.done)

        assert (while_it_is_away, before_it_confirmed) == (False, False)
        assert waiting.result()


async def test_a_task_more_costs_a_node_one_target_however_many_there_are() -> None:
    """Services are told whole once; after that who comes, and who goes."""
    async with bed() as it:
        service_id = await it.cluster.create(on_net(8))
        ear = it.ears["w1"]
        await it.cluster.settle(lambda: len(ear.targets("net", service_id)) == 8)
        ear.messages.clear()

        await it.cluster.change(service_id, replace(on_net(9), Name=it_name(it, service_id)))
        await it.cluster.settle(lambda: len(ear.targets("net", service_id)) == 9)
        more = [part for each in ear.messages for part in each.targets]
        ear.messages.clear()
        await it.cluster.change(service_id, replace(on_net(3), Name=it_name(it, service_id)))
        await it.cluster.settle(lambda: len(ear.targets("net", service_id)) == 3)

        assert [1] == [len(each.targets) for each in more]
        parts = [part for each in ear.messages for part in each.targets]
        assert 6 == sum(len(each.removed) for each in parts)
        assert not any(each.targets for each in parts)


async def test_an_older_node_is_told_services_whole() -> None:
    """It knows no changes of targets alone, and would miss them."""
    async with bed(takes_targets=False) as it:
        service_id = await it.cluster.create(on_net(2))
        ear = it.ears["w1"]
        await it.cluster.settle(lambda: len(ear.targets("net", service_id)) == 2)
        await it.cluster.change(service_id, replace(on_net(3), Name=it_name(it, service_id)))
        await it.cluster.settle(lambda: len(ear.targets("net", service_id)) == 3)

        assert not any(each.targets for each in ear.messages)


async def test_a_container_gets_a_place_and_gives_it_up() -> None:
    """The same one when it asks again; others have others."""
    async with bed() as it:
        store, clock = it.cluster.store, it.cluster.clock

        network, first = await attach(store, clock, "w1", "c1", Wish("net_name", ["db"]))
        _, again = await attach(store, clock, "w1", "c1", Wish("net", ["db"]))
        _, other = await attach(store, clock, "w2", "c2", Wish("net", ["web"]))

        assert network.id == "net"
        assert first == again != other
        await it.cluster.settle(
            lambda: (
                {("db",), ("web",)}
                == {each.names for each in it.ears["w1"].networks.get("net", ({}, {}))[0].values()}
            )
        )
        await keep(store, "w1", [])
        await it.cluster.settle(lambda: "net" not in it.ears["w1"].networks)
        assert len(it.ears["w2"].networks["net"][0]) == 1


async def test_a_container_gets_the_address_that_it_asks_for() -> None:
    """Another one instead of the one that it had; nobody else's, and none from elsewhere."""
    async with bed() as it:
        store, clock = it.cluster.store, it.cluster.clock
        _, chosen = await attach(store, clock, "w1", "c1", Wish("net", []))
        wish = chosen[0].partition("/")[0].rpartition(".")[0] + ".77"

        _, first = await attach(store, clock, "w1", "c1", Wish("net", [], [wish]))
        with pytest.raises(FailedPrecondition, match="Address already in use"):
            await attach(store, clock, "w2", "c2", Wish("net", [], [wish]))
        with pytest.raises(AddressOutside, match=r"192\.0\.2\.9: it does not belong"):
            await attach(store, clock, "w2", "c2", Wish("net", [], ["192.0.2.9"]))

        assert [f"{wish}/24"] == first
        assert not store.view().tasks.by(node="w2")


async def test_who_gets_no_place_hears_why() -> None:
    """And nothing is left of the attempt."""
    async with bed() as it:
        store, clock = it.cluster.store, it.cluster.clock
        closed = Network(id="closed", spec=NetworkSpec(Name="closed"))
        await store.update(lambda tx: add_network(tx, closed))

        with pytest.raises(NotAttachable):
            await attach(store, clock, "w1", "c1", Wish("closed", []))
        assert not store.view().tasks.by(node="w1")


async def test_keys_go_to_the_nodes_of_encrypted_networks_alone() -> None:
    """Who has no part in a network cannot read it; who has none any more is told to forget."""
    async with bed() as it:
        store = it.cluster.store
        driver = Driver(Name="overlay", Options={"encrypted": ""})
        secret = Network(id="secret", spec=NetworkSpec(Name="secret", DriverConfiguration=driver))
        await store.update(lambda tx: add_network(tx, secret))
        keys = NetworkKeyLoop(store, it.cluster.clock, lambda: 0, partial(token_bytes, 32))
        running = asyncio.ensure_future(keys.run())
        attached = NetworkAttachmentConfig(Target="secret")
        service_id = await it.cluster.create(spec(replicas(1), Networks=[attached]))
        await it.cluster.settle(lambda: any(len(ear.keys) == 3 for ear in it.ears.values()))

        (has,) = [ear for ear in it.ears.values() if "secret" in ear.networks]
        assert [ear.keys for ear in it.ears.values() if ear is not has] == [()]
        gone = replace(spec(replicas(0), Networks=[attached]), Name=it_name(it, service_id))
        await it.cluster.change(service_id, gone)
        await it.cluster.settle(lambda: has.keys == ())
        running.cancel()
