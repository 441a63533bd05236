"""How operators see the managers."""

from __future__ import annotations

from msgspec.structs import replace

from api.errors import Unavailable
from manager.adapters.backup_file import BackupFiles
from manager.adapters.prometheus import PrometheusMetrics
from manager.cluster.own import ManagerEnv
from manager.cluster.status import ClusterStatus, cluster_status
from manager.ports.statuses import OwnStatus
from tests.fakes.clock import FakeClock
from tests.fakes.leadership import FakeLeadership
from tests.fakes.small_cluster import SmallCluster, small_cluster


def _status(number: int, commit: int = 50, applied: int = 50) -> OwnStatus:
    return OwnStatus(
        node_id=f"m{number}",
        raft_id=number,
        term=3,
        leader=1,
        commit_index=commit,
        applied_index=applied,
        version="1",
    )


class Statuses:
    """Managers by address; who is not there does not answer."""

    def __init__(self, others: dict[str, OwnStatus], own: OwnStatus) -> None:
        self._others = others
        self._own = own

    def own(self) -> OwnStatus:
        return self._own

    async def of(self, address: str) -> OwnStatus:
        if address not in self._others:
            raise Unavailable(f"the manager at {address} cannot be reached")
        return self._others[address]


async def _shown(cluster: SmallCluster, statuses: Statuses) -> ClusterStatus:
    env = ManagerEnv(
        leadership=FakeLeadership(),
        members=cluster.members,
        statuses=statuses,
        store=cluster.store,
        backups=BackupFiles(),
        metrics=PrometheusMetrics(lambda: ()),
        clock=FakeClock(),
    )
    return await cluster_status(env)


async def test_lag_is_counted_from_the_most_advanced_manager() -> None:
    async with small_cluster(managers=3) as cluster:
        others = {"10.0.0.2:2377": _status(2, applied=45), "10.0.0.3:2377": _status(3)}

        shown = await _shown(cluster, Statuses(others, _status(1)))

        assert ("m1", True, "c1") == (shown.LeaderID, shown.HasQuorum, shown.ClusterID)
        assert [0, 5, 0] == [each.Lag for each in shown.Members]
        assert ["host-m1", "host-m2", "host-m3"] == [each.Hostname for each in shown.Members]


async def test_silent_manager_is_shown_with_the_reason() -> None:
    async with small_cluster(managers=3) as cluster:
        others = {"10.0.0.2:2377": _status(2)}

        shown = await _shown(cluster, Statuses(others, _status(1)))

        silent = shown.Members[2]
        assert shown.HasQuorum
        assert (False, 0, True) == (silent.IsReachable, silent.Term, "cannot be" in silent.Error)


async def test_quorum_needs_a_majority_that_answers_and_a_leader() -> None:
    async with small_cluster(managers=3) as cluster:
        assert not (await _shown(cluster, Statuses({}, _status(1)))).HasQuorum
        others = {"10.0.0.2:2377": _status(2)}
        leaderless = replace(_status(1), leader=0)
        assert not (await _shown(cluster, Statuses(others, leaderless))).HasQuorum


async def test_learners_count_for_no_quorum() -> None:
    async with small_cluster(managers=2) as cluster:
        cluster.members.members[1] = replace(cluster.members.members[1], is_learner=True)

        shown = await _shown(cluster, Statuses({}, _status(1)))

        assert shown.HasQuorum
        assert [True, False] == [each.IsVoter for each in shown.Members]
