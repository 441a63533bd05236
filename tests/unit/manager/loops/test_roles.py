"""Promotion and demotion, carried out."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from msgspec.structs import replace

from api.errors import Conflict
from api.types.nodes import NodeRole
from manager.core.objects.node import Node
from manager.loops.roles import RoleLoop
from tests.fakes.membership import member
from tests.fakes.small_cluster import SmallCluster, small_cluster, until


def _loop(cluster: SmallCluster) -> RoleLoop:
    return RoleLoop("m1", cluster.store, cluster.members)


async def _want(cluster: SmallCluster, node_id: str, role: str) -> None:
    def become(node: Node) -> Node:
        return replace(node, spec=replace(node.spec, Role=role))

    await cluster.change_node(node_id, become)


async def test_demoted_manager_becomes_a_worker() -> None:
    async with small_cluster(managers=3) as cluster:
        await _want(cluster, "m3", "worker")

        await _loop(cluster).reconcile()
        await _loop(cluster).reconcile()

        assert [1, 2] == [each.raft_id for each in cluster.members.members]
        node = cluster.node("m3")
        assert (NodeRole.WORKER, None) == (node.role, node.manager)


async def test_role_stays_while_the_member_cannot_be_removed() -> None:
    async with small_cluster(managers=3) as cluster:
        await _want(cluster, "m3", "worker")
        cluster.members.refusal = Conflict("another change is under way")

        await _loop(cluster).reconcile()

        assert NodeRole.MANAGER is cluster.node("m3").role


async def test_promotion_and_joining_show_on_the_node() -> None:
    async with small_cluster(managers=1, workers=1) as cluster:
        running = asyncio.create_task(_loop(cluster).run())
        try:
            await _want(cluster, "w1", "manager")
            await until(lambda: cluster.node("w1").role is NodeRole.MANAGER)
            cluster.members.members.append(member(7, "w1"))
            await until(lambda: cluster.node("w1").manager is not None)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def test_leader_that_is_demoted_hands_over() -> None:
    async with small_cluster(managers=3) as cluster:
        await _want(cluster, "m1", "worker")

        await _loop(cluster).reconcile()

        assert 1 == cluster.members.transfers
