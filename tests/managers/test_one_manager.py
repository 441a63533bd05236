"""One manager: begun, asked, ended, begun again."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from protos.identity.keyring import KEY_FILE, kek_digest, read_key_file
from protos.identity.tokens import parse_unlock_key
from tests.managers.conftest import MakeManager
from tests.managers.process import ManagerProcess, wait_until


def _secret(name: str, data: bytes = b"x") -> dict[str, Any]:
    return {"Name": name, "Data": base64.b64encode(data).decode()}


def test_init_makes_a_swarm_with_one_manager(manager: ManagerProcess) -> None:
    said = manager.init(DefaultAddrPool=["10.20.0.0/16"], SubnetSize=26, Availability="drain")

    swarm, [node] = manager.get("/swarm"), manager.get("/nodes")
    assert (["10.20.0.0/16"], 26, 4789) == (
        swarm["DefaultAddrPool"],
        swarm["SubnetSize"],
        swarm["DataPathPort"],
    )
    assert "default" == swarm["Spec"]["Name"]
    assert swarm["JoinTokens"]["Worker"].startswith("SWMTKN-1-")
    assert said["node_id"] == node["ID"]
    assert ("manager", "drain") == (node["Spec"]["Role"], node["Spec"]["Availability"])
    assert {"Leader": True, "Reachability": "reachable", "Addr": manager.address} == node[
        "ManagerStatus"
    ]


def test_state_outlives_the_process_and_a_kill(manager: ManagerProcess) -> None:
    manager.init()
    swarm = manager.get("/swarm")
    assert 201 == manager.request("POST", "/secrets/create", _secret("one")).status

    manager.kill()
    assert manager.start()["ready"]

    assert swarm == manager.get("/swarm")
    assert ["one"] == [each["Spec"]["Name"] for each in manager.get("/secrets")]

    assert 0 == manager.stop()
    assert manager.start()["ready"]
    assert ["one"] == [each["Spec"]["Name"] for each in manager.get("/secrets")]


def test_secrets_are_not_to_be_found_on_the_disk(manager: ManagerProcess) -> None:
    manager.init()
    manager.request("POST", "/secrets/create", _secret("one", b"rabbits-and-hats"))
    manager.stop()

    for path in manager.folder.rglob("*"):
        if path.is_file():
            assert b"rabbits-and-hats" not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"SubnetSize": 31}, "subnet size is out of range: 31"),
        ({"DefaultAddrPool": ["10.0.0.0/33"]}, "invalid base pool 10.0.0.0/33"),
        ({"DataPathPort": 80}, "invalid data path port 80"),
        ({"Availability": "maybe"}, 'invalid Availability: "maybe"'),
        ({"Spec": {"Name": "mine"}}, 'swarm spec must be named "default"'),
        ({"Spec": {"CAConfig": {"SigningCACert": "no", "SigningCAKey": "no"}}}, "certificate"),
    ],
)
def test_impossible_init_says_why_and_leaves_nothing(
    manager: ManagerProcess, request_: dict[str, Any], message: str
) -> None:
    said = manager.start("--init", orders={"Request": request_})

    assert 400 == said["code"]
    assert message in said["error"]
    assert [] == [path for path in manager.state.rglob("*") if path.is_file()]
    assert manager.init()["ready"]


def test_init_never_overwrites_a_managers_state(manager: ManagerProcess) -> None:
    manager.init()
    swarm = manager.get("/swarm")
    manager.stop()

    said = manager.start("--init")
    assert 409 == said["code"]

    assert manager.start()["ready"]
    assert swarm == manager.get("/swarm")


def test_manager_without_a_state_says_that_it_is_none(manager: ManagerProcess) -> None:
    said = manager.start()

    assert 409 == said["code"]
    assert "holds no certificate" in said["error"]


def test_port_that_is_taken_is_named(manager: ManagerProcess, make_manager: MakeManager) -> None:
    manager.init()
    second = make_manager()
    second.port = manager.port

    said = second.start("--init")

    assert f"cannot listen on {manager.address}" in said["error"]
    assert [] == [path for path in second.state.rglob("*") if path.is_file()]


def test_damaged_log_is_refused_and_named(manager: ManagerProcess) -> None:
    """To begin with an empty one would forget what was acknowledged."""
    manager.init()
    manager.stop()
    path = manager.state / "raft.db"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 :] = bytes(len(raw) - len(raw) // 2)
    path.write_bytes(raw)

    said = manager.start()

    assert str(path) in said["error"]
    assert bytes(raw) == path.read_bytes()


def test_metrics_and_health_are_served(manager: ManagerProcess) -> None:
    manager.init()
    manager.request("POST", "/secrets/create", _secret("one"))

    text = manager.request("GET", "/metrics").body.decode()

    assert 'skep_store_objects{kind="secret"} 1.0' in text
    assert "skep_raft_is_leader 1.0" in text
    assert "skep_raft_fsync_seconds_count" in text
    assert {"status": "live"} == manager.get("/health/live")
    assert {"status": "ready"} == manager.get("/health/ready")


def test_status_tells_of_the_managers(manager: ManagerProcess) -> None:
    said = manager.init()

    status = manager.get("/cluster/status")

    assert (said["node_id"], True) == (status["LeaderID"], status["HasQuorum"])
    [member] = status["Members"]
    assert ("m1", True, True, 0) == (
        member["Hostname"],
        member["IsLeader"],
        member["IsVoter"],
        member["Lag"],
    )


def test_locked_manager_waits_for_its_key(manager: ManagerProcess) -> None:
    manager.init(AutoLockManagers=True)
    key = manager.get("/swarm/unlockkey")["UnlockKey"]
    manager.kill()

    assert manager.start()["locked"]

    assert "Swarm is encrypted" in manager.request("GET", "/swarm").message
    assert {"status": "live"} == manager.get("/health/live")
    assert 503 == manager.request("GET", "/health/ready").status
    wrong = {"UnlockKey": "SWMKEY-1-" + "A" * 43}
    assert "invalid key" in manager.request("POST", "/swarm/unlock", wrong).message
    assert 200 == manager.request("POST", "/swarm/unlock", {"UnlockKey": key}).status
    until_answered(manager)
    assert manager.get("/swarm")["Spec"]["EncryptionConfig"]["AutoLockManagers"]
    assert "not locked" in manager.request("POST", "/swarm/unlock", {"UnlockKey": key}).message


def until_answered(manager: ManagerProcess) -> None:
    """Return when a manager that is being unlocked serves."""
    wait_until(lambda: manager.request("GET", "/swarm").status == 200)


def test_lock_follows_the_swarms_spec(manager: ManagerProcess) -> None:
    manager.init()
    swarm = manager.get("/swarm")
    spec = {**swarm["Spec"], "EncryptionConfig": {"AutoLockManagers": True}}
    version = swarm["Version"]["Index"]
    assert "" == manager.get("/swarm/unlockkey")["UnlockKey"]

    manager.request("POST", f"/swarm/update?version={version}", spec)
    first = manager.get("/swarm/unlockkey")["UnlockKey"]
    version = manager.get("/swarm")["Version"]["Index"]
    manager.request("POST", f"/swarm/update?version={version}&rotateManagerUnlockKey=true", spec)
    second = manager.get("/swarm/unlockkey")["UnlockKey"]
    assert first != second
    wait_until(lambda: is_locked_by(manager, second))
    changes = manager.log().count("manager.lock_changed")
    manager.kill()

    assert manager.start()["locked"]
    assert 401 == manager.request("POST", "/swarm/unlock", {"UnlockKey": first}).status
    assert 200 == manager.request("POST", "/swarm/unlock", {"UnlockKey": second}).status
    until_answered(manager)

    # While its log is played again, the manager must not lock by the keys of before.
    assert is_locked_by(manager, second)
    assert changes == manager.log().count("manager.lock_changed")


def is_locked_by(manager: ManagerProcess, key: str) -> bool:
    """Tell whether a manager will need this key after a restart."""
    path = manager.state / KEY_FILE
    file = read_key_file(path.read_bytes(), str(path))
    return file.is_locked and file.kek_digest == kek_digest(parse_unlock_key(key))


def test_tokens_are_rotated_one_by_one(manager: ManagerProcess) -> None:
    manager.init()
    swarm = manager.get("/swarm")
    target = f"/swarm/update?version={swarm['Version']['Index']}&rotateWorkerToken=1"

    assert 200 == manager.request("POST", target, swarm["Spec"]).status

    tokens = manager.get("/swarm")["JoinTokens"]
    assert tokens["Worker"] != swarm["JoinTokens"]["Worker"]
    assert tokens["Manager"] == swarm["JoinTokens"]["Manager"]
    assert "update out of sequence" in manager.request("POST", target, swarm["Spec"]).message


def test_last_manager_leaves_by_force_only(manager: ManagerProcess) -> None:
    manager.init()

    refused = manager.request("POST", "/swarm/leave")

    assert 503 == refused.status
    assert "Removing the last manager erases all current state" in refused.message
    assert 200 == manager.request("POST", "/swarm/leave?force=1").status


def test_backup_is_restored_elsewhere(manager: ManagerProcess, make_manager: MakeManager) -> None:
    manager.init()
    manager.request("POST", "/secrets/create", _secret("one", b"rabbits-and-hats"))
    swarm = manager.get("/swarm")
    answer = manager.request("GET", "/cluster/backup")
    path = Path(manager.folder / "backup")
    path.write_bytes(answer.body)
    assert b"rabbits" not in answer.body
    manager.stop()

    second = make_manager()
    key = answer.headers["Skep-Backup-Key"]
    said = second.start("--init", orders={"Backup": str(path), "BackupKey": key})

    assert said["ready"], said
    restored = second.get("/swarm")
    assert (swarm["ID"], swarm["JoinTokens"]) == (restored["ID"], restored["JoinTokens"])
    assert ["one"] == [each["Spec"]["Name"] for each in second.get("/secrets")]
    assert [said["node_id"]] == [node["ID"] for node in second.get("/nodes")]
    assert 201 == second.request("POST", "/secrets/create", _secret("two")).status
    second.kill()
    assert second.start()["ready"]
    assert 2 == len(second.get("/secrets"))


def test_backup_with_another_key_restores_nothing(
    manager: ManagerProcess, make_manager: MakeManager
) -> None:
    manager.init()
    path = Path(manager.folder / "backup")
    path.write_bytes(manager.request("GET", "/cluster/backup").body)
    key = manager.request("GET", "/cluster/backup").headers["Skep-Backup-Key"]
    second = make_manager()

    said = second.start("--init", orders={"Backup": str(path), "BackupKey": key})

    assert "not its key" in said["error"]
    assert [] == [found for found in second.state.rglob("*") if found.is_file()]
