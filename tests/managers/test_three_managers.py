"""Three managers: any of them answers, each can be spared, two at once cannot."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from api.swarm_errors import InvalidJoinToken
from tests.managers.conftest import MakeManager, is_settled
from tests.managers.joining import get_certificate, join
from tests.managers.process import Answer, ManagerProcess, wait_until

Three = list[ManagerProcess]


def _secret(name: str) -> dict[str, Any]:
    return {"Name": name, "Data": base64.b64encode(b"x").decode()}


def _create(manager: ManagerProcess, name: str) -> Answer:
    return manager.request("POST", "/secrets/create", _secret(name))


def _names(manager: ManagerProcess) -> set[str]:
    return {each["Spec"]["Name"] for each in manager.get("/secrets")}


def _leader(managers: Three) -> ManagerProcess:
    status = managers[0].get("/cluster/status")
    [address] = [each["Address"] for each in status["Members"] if each["IsLeader"]]
    return next(each for each in managers if each.address == address)


def _node(manager: ManagerProcess, address: str) -> dict[str, Any]:
    """Return the node whose manager is, or was, at the address."""
    found: dict[str, Any] = next(
        node
        for node in manager.get("/nodes")
        if node.get("ManagerStatus", {}).get("Addr") == address
    )
    return found


def _want_role(manager: ManagerProcess, node: dict[str, Any], role: str) -> Answer:
    target = f"/nodes/{node['ID']}/update?version={node['Version']['Index']}"
    return manager.request("POST", target, {**node["Spec"], "Role": role})


def test_every_manager_shows_the_same_nodes_and_takes_writes(three: Three) -> None:
    # The leader still notes what it learns of the last one that joined.
    wait_until(lambda: len({json.dumps(each.get("/nodes")) for each in three}) == 1)
    nodes = three[0].get("/nodes")
    assert 1 == sum(node["ManagerStatus"].get("Leader", False) for node in nodes)

    for number, manager in enumerate(three):
        assert 201 == _create(manager, f"s{number}").status
        # No waiting: whoever was told of a write finds it on any manager.
        assert all(f"s{number}" in _names(other) for other in three)


def test_errors_of_forwarded_writes_arrive_as_they_are(three: Three) -> None:
    follower = next(each for each in three if each is not _leader(three))
    _create(follower, "one")

    again = _create(follower, "one")

    assert 409 == again.status
    assert "secret one already exists" in again.message


def test_killed_leader_is_replaced_and_nothing_is_lost(three: Three) -> None:
    leader = _leader(three)
    rest = [each for each in three if each is not leader]
    assert all(201 == _create(rest[0], f"before-{number}").status for number in range(10))

    leader.kill()
    began_s = time.monotonic()
    wait_until(lambda: _create(rest[0], "after").status in {201, 409})
    took_s = time.monotonic() - began_s

    assert {f"before-{number}" for number in range(10)} | {"after"} == _names(rest[1])
    assert took_s < 5
    leader.start()
    wait_until(lambda: is_settled(leader, 3))
    assert "after" in _names(leader)


def test_lost_quorum_is_an_error_within_seconds_and_ends_with_it(three: Three) -> None:
    three[1].kill()
    three[2].kill()

    for method, target, content in (
        ("POST", "/secrets/create", _secret("x")),
        ("GET", "/secrets", None),
        ("GET", "/swarm", None),
    ):
        began_s = time.monotonic()
        answer = three[0].request(method, target, content)
        assert 503 == answer.status
        assert time.monotonic() - began_s < 6
        assert "does not have a leader" in answer.message or "unknown" in answer.message
    assert 503 == three[0].request("GET", "/health/ready").status
    assert not three[0].get("/cluster/status")["HasQuorum"]

    three[1].start()
    wait_until(lambda: _create(three[0], "y").status == 201)


def test_survivor_goes_on_alone_when_it_is_told_to(three: Three) -> None:
    _create(three[1], "kept")
    for each in three:
        each.kill()

    assert three[0].start("--force-new-cluster")["ready"]

    wait_until(lambda: three[0].request("GET", "/swarm").status == 200)
    assert {"kept"} == _names(three[0])
    wait_until(lambda: 1 == len(three[0].get("/cluster/status")["Members"]))
    assert 201 == _create(three[0], "new").status
    three[0].kill()
    assert three[0].start()["ready"]
    wait_until(lambda: three[0].request("GET", "/swarm").status == 200)
    assert {"kept", "new"} == _names(three[0])


def test_demoted_manager_leaves_raft_and_can_be_removed(three: Three) -> None:
    leader = _leader(three)
    other = next(each for each in three if each is not leader)
    node = _node(leader, other.address)
    assert "must be demoted" in leader.request("DELETE", f"/nodes/{node['ID']}").message

    assert 200 == _want_role(leader, node, "worker").status

    wait_until(lambda: 2 == len(leader.get("/cluster/status")["Members"]))
    wait_until(lambda: "ManagerStatus" not in leader.get(f"/nodes/{node['ID']}"))
    assert other.process is not None
    wait_until(lambda: other.process and other.process.poll() is not None)
    assert 3 == other.process.returncode
    assert "this manager was removed from the cluster" in other.log()
    assert 200 == leader.request("DELETE", f"/nodes/{node['ID']}?force=1").status
    assert 2 == len(leader.get("/nodes"))
    rest = next(each for each in three if each not in (leader, other))
    assert 201 == _create(rest, "x").status


def test_leader_that_is_demoted_hands_over(three: Three) -> None:
    leader = _leader(three)
    rest = [each for each in three if each is not leader]

    assert 200 == _want_role(rest[0], _node(rest[0], leader.address), "worker").status

    wait_until(lambda: is_settled(rest[0], 2))
    assert leader.address not in {
        each["Address"] for each in rest[0].get("/cluster/status")["Members"]
    }
    assert 201 == _create(rest[1], "x").status


def test_quorum_is_not_given_away(three: Three) -> None:
    leader = _leader(three)
    dead, other = [each for each in three if each is not leader]
    dead.kill()
    wait_until(lambda: _node(leader, dead.address)["ManagerStatus"]["Reachability"] != "reachable")

    refused = _want_role(leader, _node(leader, other.address), "worker")

    assert 400 == refused.status
    assert "this would result in a loss of quorum" in refused.message
    assert 200 == _want_role(leader, _node(leader, dead.address), "worker").status
    wait_until(lambda: is_settled(leader, 2))


def test_manager_that_leaves_by_force_is_missed_by_nobody(three: Three) -> None:
    leader = _leader(three)
    rest = [each for each in three if each is not leader]
    refused = leader.request("POST", "/swarm/leave")
    assert 503 == refused.status
    assert "participating as a manager" in refused.message

    assert 200 == leader.request("POST", "/swarm/leave?force=1").status
    leader.stop()

    wait_until(lambda: is_settled(rest[0], 2))
    assert 201 == _create(rest[0], "x").status


def test_frozen_leader_is_replaced(three: Three) -> None:
    """It answers nothing, and its connections stand: only its silence tells."""
    leader = _leader(three)
    rest = [each for each in three if each is not leader]

    leader.suspend()
    began_s = time.monotonic()
    first = _create(rest[0], "first")
    assert time.monotonic() - began_s < 6
    assert first.status == 201 or "unknown" in first.message
    wait_until(lambda: _create(rest[0], "second").status in {201, 409})
    leader.resume()

    wait_until(lambda: is_settled(leader, 3))
    assert "second" in _names(leader)


def test_stopped_leader_hands_over_without_an_election_in_vain(three: Three) -> None:
    leader = _leader(three)
    rest = [each for each in three if each is not leader]

    assert 0 == leader.stop()

    began_s = time.monotonic()
    wait_until(lambda: _create(rest[0], "x").status == 201)
    assert time.monotonic() - began_s < 1.5


def test_rotated_token_lets_nobody_in(manager: ManagerProcess, make_manager: MakeManager) -> None:
    manager.init()
    swarm = manager.get("/swarm")
    version = swarm["Version"]["Index"]
    target = f"/swarm/update?version={version}&rotateManagerToken=1"
    assert 200 == manager.request("POST", target, swarm["Spec"]).status
    second = make_manager()

    def is_refused() -> bool:
        try:
            get_certificate(second, swarm["JoinTokens"]["Manager"], manager)
        except InvalidJoinToken:
            return True
        return False

    wait_until(is_refused)
    join(second, manager)
    wait_until(lambda: is_settled(manager, 2))


def test_promoted_worker_may_become_a_manager(
    manager: ManagerProcess, make_manager: MakeManager
) -> None:
    manager.init()
    worker = make_manager()
    node_id = get_certificate(worker, manager.get("/swarm")["JoinTokens"]["Worker"], manager)
    node = manager.get(f"/nodes/{node_id}")
    assert ("worker", None) == (node["Spec"]["Role"], node.get("ManagerStatus"))

    assert 200 == _want_role(manager, node, "manager").status

    assert "manager" == manager.get(f"/nodes/{node_id}")["Spec"]["Role"]


def test_manager_that_joins_a_locked_cluster_locks(
    manager: ManagerProcess, make_manager: MakeManager
) -> None:
    manager.init(AutoLockManagers=True)
    second = make_manager()
    join(second, manager)
    wait_until(lambda: is_settled(second, 2))
    key = second.get("/swarm/unlockkey")["UnlockKey"]
    second.kill()

    assert second.start()["locked"]

    assert 200 == second.request("POST", "/swarm/unlock", {"UnlockKey": key}).status
    wait_until(lambda: is_settled(second, 2))


def test_one_of_two_managers_leaves_and_the_other_goes_on(
    manager: ManagerProcess, make_manager: MakeManager
) -> None:
    """The refusal without force is right: to stop the one would stop both."""
    manager.init()
    second = make_manager()
    join(second, manager)
    wait_until(lambda: is_settled(manager, 2))
    refused = manager.request("POST", "/swarm/leave")
    assert "Removing this node leaves 1 managers out of 2" in refused.message

    assert 200 == manager.request("POST", "/swarm/leave?force=1").status
    manager.stop()

    assert 201 == _create(second, "x").status
    assert is_settled(second, 1)
