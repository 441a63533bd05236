"""Three managers and a worker, by the docker CLI: what users do with a swarm's nodes every day."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.cluster.hosts import Cluster, hosts_on_a_lan
from tests.cluster.lan import is_alive
from tests.cluster.swarm import (
    asked,
    configs,
    is_leaderless,
    join,
    leader_of,
    nodes,
    swarm_of,
    token,
    until_managers,
    until_state,
    until_written,
)
from tests.root.node import PATIENCE, wait_until


@pytest.fixture(scope="module")
def swarm() -> Iterator[Cluster]:
    """Lend one swarm to all tests here; each leaves it as it was: three managers, one worker."""
    with hosts_on_a_lan(4) as hosts:
        swarm_of(hosts, managers=3)
        yield hosts


@pytest.fixture(autouse=True)
def _whole_again(swarm: Cluster) -> Iterator[None]:
    """See that a test left all managers reachable."""
    yield
    until_managers(swarm[0], 3)


def test_every_manager_shows_the_same_nodes(swarm: Cluster) -> None:
    *managers, worker = swarm

    seen = [nodes(each) for each in managers]

    for rows in seen:
        for row in rows.values():
            del row["Self"]
    assert seen[0] == seen[1] == seen[2]
    assert {"host0", "host1", "host2", "host3"} == set(seen[0])
    assert {"Ready"} == {row["Status"] for row in seen[0].values()}
    assert "Worker nodes can't be used to view or modify cluster state" in asked(
        worker, "node", "ls"
    )


def test_docker_info_tells_each_host_what_it_is(swarm: Cluster) -> None:
    wait_until(lambda: swarm[0].info()["Managers"] == 3, "the roles to be written down")

    infos = [host.info() for host in swarm]

    assert ["active"] * 4 == [each["LocalNodeState"] for each in infos]
    assert [True, True, True, False] == [each["ControlAvailable"] for each in infos]
    assert [(4, 3)] * 3 == [(each["Nodes"], each["Managers"]) for each in infos[:3]]
    for host, info in zip(swarm, infos, strict=True):
        assert host.address == info["NodeAddr"]
        assert 3 == len(info["RemoteManagers"])


def test_what_is_written_at_one_manager_is_read_at_once_at_another(swarm: Cluster) -> None:
    """A read sees all that was acknowledged before it, whoever is asked."""
    for number, writer in enumerate(swarm[:3]):
        writer.docker("config", "create", f"c{number}", "-", stdin=b"x")
        for reader in swarm[:3]:
            assert f"c{number}" in configs(reader)
        swarm[(number + 1) % 3].docker("config", "rm", f"c{number}")


def test_a_worker_is_promoted_and_demoted(swarm: Cluster) -> None:
    """Its manager comes and goes, and leaves nothing of the cluster's state behind."""
    first, worker = swarm[0], swarm[3]

    first.docker("node", "promote", "host3")
    wait_until(lambda: worker.info()["ControlAvailable"], "the promotion", 30)
    until_managers(first, 4)
    assert "Reachable" == nodes(worker)["host3"]["ManagerStatus"]
    assert (worker.root / "data/swarm/raft.db").exists()

    worker.docker("node", "demote", "host3")
    wait_until(lambda: worker.manager_pid() is None, "the demotion", 30)
    assert "" == nodes(first)["host3"]["ManagerStatus"]
    kept = [worker.root / "data/swarm" / name for name in ("raft.db", "keys.json")]
    wait_until(lambda: not any(each.exists() for each in kept), "the state to be gone")
    assert not worker.info()["ControlAvailable"]
    until_state(first, worker, "Ready")


def test_a_worker_leaves_is_down_and_is_removed_and_joins_again(swarm: Cluster) -> None:
    first, worker = swarm[0], swarm[3]
    node_id = worker.info()["NodeID"]
    assert "is not down and can't be removed" in asked(first, "node", "rm", node_id)

    assert "Node left the swarm.\n" == worker.docker("swarm", "leave").stdout
    assert "inactive" == worker.info()["LocalNodeState"]
    until_state(first, worker, "Down")
    first.docker("node", "rm", node_id)
    assert "host3" not in nodes(first)

    assert "This node joined a swarm as a worker.\n" == join(worker, first, "worker")
    assert node_id != worker.info()["NodeID"]
    until_state(first, worker, "Ready")


def test_a_removed_node_is_not_let_in_again(swarm: Cluster) -> None:
    first, worker = swarm[0], swarm[3]

    first.docker("node", "rm", "--force", "host3")

    wait_until(lambda: worker.info()["LocalNodeState"] == "error", "the refusal", 30)
    assert "swarm leave" in worker.info()["Error"]
    worker.docker("swarm", "leave", "--force")
    join(worker, first, "worker")
    until_state(first, worker, "Ready")


def test_availability_is_kept_and_shown(swarm: Cluster) -> None:
    first, worker = swarm[0], swarm[3]

    first.docker("node", "update", "--availability", "drain", "--label-add", "zone=a", "host3")

    assert "Drain" == nodes(swarm[1])["host3"]["Availability"]
    shown = first.docker("node", "ls", "--filter", "node.label=zone=a", "-q").stdout
    assert worker.info()["NodeID"] == shown.strip()
    first.docker("node", "update", "--availability", "active", "--label-rm", "zone", "host3")


def test_events_of_the_swarm_are_told_by_every_manager(swarm: Cluster) -> None:
    before = datetime.now(UTC).timestamp() - 1

    swarm[0].docker("node", "update", "--availability", "pause", "host3")
    swarm[0].docker("node", "update", "--availability", "active", "host3")

    words = ("events", "--filter", "scope=swarm", "--since", f"{before:.9f}", "--until", "0s")
    told = "availability.new=active, availability.old=pause, name=host3"
    for manager in swarm[:3]:
        wait_until(lambda each=manager: told in each.docker(*words).stdout, "the events")  # type: ignore[misc] # bound


def test_a_join_token_is_worth_nothing_once_it_was_rotated(swarm: Cluster) -> None:
    first, worker = swarm[0], swarm[3]
    old, node_id = token(first, "worker"), worker.info()["NodeID"]
    first.docker("swarm", "join-token", "--rotate", "worker")
    worker.docker("swarm", "leave")
    first.docker("node", "rm", "--force", node_id)

    refused = asked(worker, "swarm", "join", "--token", old, f"{first.address}:2377")

    assert "A valid join token is necessary to join this cluster" in refused
    assert "inactive" == worker.info()["LocalNodeState"]
    join(worker, first, "worker")
    until_state(first, worker, "Ready")


def test_a_manager_does_not_leave_without_force(swarm: Cluster) -> None:
    words = asked(swarm[1], "swarm", "leave")

    assert words.startswith(
        "Error response from daemon: You are attempting to leave the swarm on a node that is "
        "participating as a manager."
    )
    assert swarm[1].info()["ControlAvailable"]


def test_the_leader_is_killed_and_others_go_on(swarm: Cluster) -> None:
    """Its machine comes back later, and its manager is one of them again."""
    managers = swarm[:3]
    leader = leader_of(managers)
    others = [each for each in managers if each is not leader]

    leader.crash()

    written = until_written(others[0])
    assert written in configs(others[1])
    wait_until(
        lambda: nodes(others[0])[leader.hostname]["ManagerStatus"] == "Unreachable",
        "the loss to be seen",
    )
    leader.start()
    until_managers(leader, 3)
    assert written in configs(leader)


def test_a_killed_manager_is_started_again_by_its_daemon(swarm: Cluster) -> None:
    follower = next(each for each in swarm[:3] if each is not leader_of(swarm[:3]))
    before = follower.manager_pid()

    follower.kill_manager()

    wait_until(lambda: follower.manager_pid() not in {None, before}, "another manager")
    wait_until(lambda: follower.info()["ControlAvailable"], "it to serve", 30)


def test_a_manager_ends_with_its_daemon_however_that_ends(swarm: Cluster) -> None:
    """Two managers on one state would be two members with one name."""
    follower = next(each for each in swarm[:3] if each is not leader_of(swarm[:3]))
    manager = follower.manager_pid()
    assert manager is not None

    follower.kill()

    wait_until(lambda: not is_alive(manager), "the manager's end")
    follower.start()
    wait_until(lambda: follower.info()["ControlAvailable"], "another one", 30)


def test_a_lost_quorum_is_told_within_seconds_and_healed(swarm: Cluster) -> None:
    """Reads and writes fail with words, never hang; nothing is lost."""
    alone, *silent = swarm[:3]
    for each in silent:
        each.freeze()
    try:
        wait_until(lambda: is_leaderless(alone), "the loss to be told", 30)
        begun = time.monotonic()
        assert "does not have a leader" in asked(alone, "config", "create", "c", "/etc/hosts")
        assert time.monotonic() - begun < 15 * PATIENCE
        info = alone.info()
        assert ("active", True) == (info["LocalNodeState"], info["ControlAvailable"])
        assert "does not have a leader" in info["Error"]
    finally:
        for each in silent:
            each.thaw()

    until_managers(alone, 3)


def test_a_leader_that_is_parted_hands_over_to_the_majority(swarm: Cluster) -> None:
    """The minority does not serve what it cannot know to be true."""
    managers = swarm[:3]
    leader = leader_of(managers)
    others = [each for each in managers if each is not leader]

    leader.network.part(leader.number)
    try:
        wait_until(lambda: is_leaderless(leader), "the minority to know it", 30)
        assert leader_of(others) in others
        until_state(others[0], leader, "Down")
    finally:
        leader.network.heal()

    until_managers(leader, 3)
    until_state(others[0], leader, "Ready")


def test_status_tells_operators_how_far_each_manager_is(swarm: Cluster) -> None:
    found = json.loads(swarm[1].skep("cluster", "status", "--json"))

    assert found["HasQuorum"]
    assert {"host0", "host1", "host2"} == {each["Hostname"] for each in found["Members"]}
    assert 1 == sum(each["IsLeader"] for each in found["Members"])
