"""A manager leaves: refused in Docker's words, or let go."""

from __future__ import annotations

from functools import partial

import pytest
from msgspec.structs import replace

from api.swarm_errors import (
    CutOffManagerLeaves,
    LastManagerLeaves,
    ManagerLeaves,
    QuorumLeaves,
)
from manager.cluster.swarm import leave as leaving
from manager.cluster.swarm.leave import leave
from manager.loops.roles import RoleLoop
from manager.ports.leadership import Reply, Request
from manager.routes.local_call import serve_own
from tests.fakes.manager_app import ManagerApp
from tests.fakes.small_cluster import SmallCluster, small_cluster


async def _nobody(request: Request) -> Reply:
    return Reply(503, (), b'{"message": "no leader"}')


@pytest.mark.parametrize(
    ("managers", "unreachable", "error"),
    [
        (1, 0, LastManagerLeaves),
        (2, 0, QuorumLeaves),
        (3, 0, ManagerLeaves),
        (3, 1, QuorumLeaves),
        (5, 1, ManagerLeaves),
        (5, 2, QuorumLeaves),
    ],
)
async def test_refusal_says_what_is_at_stake(
    managers: int, unreachable: int, error: type[ManagerLeaves]
) -> None:
    async with small_cluster(managers=managers) as cluster:
        for number in range(managers - unreachable, managers):
            gone = replace(cluster.members.members[number], is_reachable=False)
            cluster.members.members[number] = gone

        with pytest.raises(ManagerLeaves) as caught:
            await leave(cluster.env, _nobody, force=False)

        assert error is type(caught.value)


async def test_manager_that_knows_nothing_of_the_others_says_so() -> None:
    async with small_cluster(managers=3) as cluster:
        cluster.members.members = list(cluster.members.known())

        with pytest.raises(CutOffManagerLeaves):
            await leave(cluster.env, _nobody, force=False)


async def _ask_and_reconcile(cluster: SmallCluster, app: ManagerApp, request: Request) -> Reply:
    reply = await serve_own(app.app, request)
    await RoleLoop("m2", cluster.store, cluster.members).reconcile()
    return reply


async def test_forced_leave_makes_the_manager_a_worker_first() -> None:
    async with small_cluster(managers=3) as cluster:
        ask = partial(_ask_and_reconcile, cluster, ManagerApp(cluster))

        await leave(cluster.env, ask, force=True)

        assert "worker" == cluster.node("m1").spec.Role
        assert [2, 3] == [each.raft_id for each in cluster.members.members]


async def test_forced_leave_of_the_last_manager_asks_nobody_twice() -> None:
    async with small_cluster(managers=1) as cluster:
        app = ManagerApp(cluster)

        await leave(cluster.env, partial(serve_own, app.app), force=True)

        assert "manager" == cluster.node("m1").spec.Role


async def test_forced_leave_does_not_wait_for_those_who_do_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leaving, "FAREWELL_S", 0.1)
    async with small_cluster(managers=3) as cluster:
        app = ManagerApp(cluster)

        await leave(cluster.env, partial(serve_own, app.app), force=True)

        assert 3 == len(cluster.members.members)
