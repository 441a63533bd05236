"""Nodes as users see and change them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from api.cluster_errors import (
    AmbiguousRef,
    LastManager,
    ManagerNotDemoted,
    NodeNotDown,
    NoSuchNode,
    NotRaftMember,
    QuorumLoss,
    StaleVersion,
)
from api.errors import InvalidArgument
from api.filters import Filters
from api.types.nodes import NodeSpec
from manager.cluster.nodes.inspect import inspect_node
from manager.cluster.nodes.list import list_nodes
from manager.cluster.nodes.remove import remove_node
from manager.cluster.nodes.update import update_node
from manager.core.objects.node import Node
from tests.fakes.small_cluster import SmallCluster, small_cluster

WORKER = NodeSpec(Role="worker", Availability="active")


def _version(cluster: SmallCluster, node_id: str) -> int:
    return cluster.node(node_id).meta.version_index


async def _demote(cluster: SmallCluster, node_id: str) -> None:
    await update_node(cluster.env, node_id, _version(cluster, node_id), WORKER)


async def test_managers_show_how_the_leader_sees_them() -> None:
    async with small_cluster(managers=2, workers=1) as cluster:
        cluster.members.members[1] = replace(cluster.members.members[1], is_reachable=False)

        shown = {node.ID: node.ManagerStatus for node in await list_nodes(cluster.env, Filters())}

        assert shown["w1"] is None
        first, second = shown["m1"], shown["m2"]
        assert first is not None
        assert second is not None
        assert (True, "reachable", "10.0.0.1:2377") == (
            first.Leader,
            first.Reachability,
            first.Addr,
        )
        assert (False, "unreachable") == (second.Leader, second.Reachability)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"role": ["manager"]}, ["m1"]),
        ({"name": ["host-w"]}, ["w1", "w2"]),
        ({"id": ["w1", "m"]}, ["m1", "w1"]),
        ({"node.label": ["disk=ssd"]}, ["w2"]),
        ({"node.label": ["disk"]}, ["w2"]),
        ({"node.label": ["disk=hdd"]}, []),
        ({"label": ["engine"]}, []),
        ({"membership": ["accepted"]}, ["m1", "w1", "w2"]),
        ({"membership": ["pending"]}, []),
        ({"role": ["worker"], "name": ["host-w2"]}, ["w2"]),
    ],
)
async def test_filters_choose_nodes(filters: dict[str, list[str]], expected: list[str]) -> None:
    async with small_cluster(workers=2) as cluster:
        await cluster.change_node(
            "w2", lambda node: replace(node, spec=replace(node.spec, Labels={"disk": "ssd"}))
        )

        assert expected == [node.ID for node in await list_nodes(cluster.env, Filters(filters))]


@pytest.mark.parametrize("filters", [{"colour": ["red"]}, {"role": ["king"]}, {"membership": [""]}])
async def test_unknown_filters_are_refused(filters: dict[str, list[str]]) -> None:
    async with small_cluster() as cluster:
        with pytest.raises(InvalidArgument):
            await list_nodes(cluster.env, Filters(filters))


@pytest.mark.parametrize("ref", ["w1", "host-w1", "HOST-W1"])
async def test_node_is_found_by_id_and_host_name(ref: str) -> None:
    async with small_cluster(workers=1) as cluster:
        assert "w1" == (await inspect_node(cluster.env, ref)).ID


async def test_prefix_must_be_of_one_node_only() -> None:
    async with small_cluster(workers=2) as cluster:
        with pytest.raises(AmbiguousRef, match=r"node w is ambiguous \(2 matches found\)"):
            await inspect_node(cluster.env, "w")
        with pytest.raises(NoSuchNode):
            await inspect_node(cluster.env, "x")


async def test_update_takes_over_the_spec() -> None:
    async with small_cluster(workers=1) as cluster:
        spec = NodeSpec(Role="worker", Availability="drain", Labels={"a": "b"})

        await update_node(cluster.env, "w1", _version(cluster, "w1"), spec)

        assert spec == cluster.node("w1").spec


async def test_update_on_an_older_version_is_refused() -> None:
    """Two operators who change the same node at once must not undo one another."""
    async with small_cluster(workers=1) as cluster:
        before = _version(cluster, "w1")
        await update_node(cluster.env, "w1", before, replace(WORKER, Availability="pause"))

        with pytest.raises(StaleVersion):
            await update_node(cluster.env, "w1", before, WORKER)


@pytest.mark.parametrize("changes", [{"Role": "king"}, {"Availability": "gone"}, {"Role": ""}])
async def test_impossible_spec_is_refused(changes: dict[str, str]) -> None:
    async with small_cluster(workers=1) as cluster:
        with pytest.raises(InvalidArgument):
            await update_node(
                cluster.env, "w1", _version(cluster, "w1"), replace(WORKER, **changes)
            )


async def test_last_manager_cannot_be_demoted() -> None:
    async with small_cluster(managers=1, workers=1) as cluster:
        with pytest.raises(LastManager):
            await _demote(cluster, "m1")

        assert "manager" == cluster.node("m1").spec.Role


async def test_demotion_that_loses_the_quorum_is_refused() -> None:
    """Of three managers with one down, the two that are left are needed."""
    async with small_cluster(managers=3) as cluster:
        cluster.members.members[2] = replace(cluster.members.members[2], is_reachable=False)

        with pytest.raises(QuorumLoss):
            await _demote(cluster, "m2")


async def test_dead_manager_can_be_demoted() -> None:
    async with small_cluster(managers=3) as cluster:
        cluster.members.members[2] = replace(cluster.members.members[2], is_reachable=False)

        await _demote(cluster, "m3")

        assert "worker" == cluster.node("m3").spec.Role


async def test_manager_that_never_joined_cannot_be_demoted() -> None:
    async with small_cluster(managers=2) as cluster:
        del cluster.members.members[1]

        with pytest.raises(NotRaftMember):
            await _demote(cluster, "m2")


async def test_node_that_is_up_is_removed_by_force_only() -> None:
    async with small_cluster(workers=1) as cluster:
        with pytest.raises(NodeNotDown):
            await remove_node(cluster.env, "w1", force=False)

        await remove_node(cluster.env, "w1", force=True)

        assert "w1" not in cluster.store.view().nodes


async def test_certificate_of_a_removed_node_is_remembered_until_it_ends() -> None:
    """Without that the removed node could come back as if nothing had happened."""
    async with small_cluster(workers=2) as cluster:
        await remove_node(cluster.env, "w1", force=True)
        [found] = cluster.store.view().clusters
        assert cluster.now_ns + 90 * 86400 * 10**9 < found.removed_nodes["w1"]

        cluster.now_ns = found.removed_nodes["w1"] + 1
        await remove_node(cluster.env, "w2", force=True)

        [found] = cluster.store.view().clusters
        assert ["w2"] == [*found.removed_nodes]


@pytest.mark.parametrize("force", [False, True])
async def test_manager_is_never_removed(force: bool) -> None:
    async with small_cluster(managers=3) as cluster:
        with pytest.raises(ManagerNotDemoted):
            await remove_node(cluster.env, "m2", force=force)


async def test_node_that_is_down_is_removed() -> None:
    async with small_cluster(workers=1) as cluster:

        def down(node: Node) -> Node:
            return replace(node, status=replace(node.status, State="down"))

        await cluster.change_node("w1", down)

        await remove_node(cluster.env, "w1", force=False)

        assert "w1" not in cluster.store.view().nodes
