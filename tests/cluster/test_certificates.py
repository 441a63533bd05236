"""Certificates of real hosts: roots rotated, nodes away meanwhile, managers locked."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.cluster.host import Host
from tests.cluster.hosts import Cluster
from tests.root.node import wait_until

LanOf = Callable[[int], Cluster]


def init(host: Host, *flags: str) -> str:
    """Begin a swarm; return what the CLI says."""
    return host.docker("swarm", "init", "--advertise-addr", host.address, *flags).stdout


def token_of(host: Host, role: str) -> str:
    """Return the join token of now."""
    return host.docker("swarm", "join-token", "-q", role).stdout.strip()


def join(host: Host, through: Host, token: str) -> None:
    """Join by a token."""
    host.docker(
        "swarm", "join", "--token", token, "--advertise-addr", host.address,
        f"{through.address}:2377",
    )  # fmt: skip


def nodes(host: Host) -> dict[str, dict[str, Any]]:
    """Return the nodes by host name."""
    ids = host.docker("node", "ls", "-q").stdout.split()
    found = json.loads(host.docker("node", "inspect", *ids).stdout)
    return {each["Description"]["Hostname"]: each for each in found}


def are_ready(host: Host, count: int) -> bool:
    """Tell whether so many nodes are ready."""
    return ["ready"] * count == [each["Status"]["State"] for each in nodes(host).values()]


def root_of(host: Host) -> str:
    """Return the root certificate of now."""
    return host.docker("swarm", "ca").stdout


def is_rotating(host: Host) -> bool:
    """Tell whether the root is being rotated."""
    found = host.docker("info", "-f", "{{.Swarm.Cluster.RootRotationInProgress}}")
    return found.stdout.strip() == "true"


@pytest.fixture
def three(lan_of: LanOf) -> Cluster:
    """Lend two managers and a worker."""
    first, second, worker = lan_of(3)
    init(first)
    join(second, first, token_of(first, "manager"))
    join(worker, first, token_of(first, "worker"))
    wait_until(lambda: are_ready(first, 3), "all nodes to be ready")
    return [first, second, worker]


def test_root_is_rotated_while_a_node_is_away_and_it_comes_back(three: Cluster) -> None:
    first, second, worker = three
    before, old_token = root_of(first), token_of(first, "worker")
    worker.stop()
    assert "session.paused" in first.log.read_text(), "who stops in order says so"

    first.docker("swarm", "ca", "--rotate", "--detach")
    wait_until(lambda: is_renewed(first) and is_renewed(second), "the managers to renew")
    assert is_rotating(first)
    assert old_token == token_of(first, "worker")

    worker.start()
    wait_until(lambda: not is_rotating(first), "the rotation to end", 60)
    wait_until(lambda: are_ready(first, 3), "all nodes to be ready")

    after = root_of(second)
    assert before.strip() != after.strip()
    assert old_token != token_of(first, "worker")
    for host in three:
        wait_until(partial(trusts_only, host, after), "the old root to be gone")
    assert (
        after.strip()
        == nodes(first)[worker.hostname]["Description"]["TLSInfo"]["TrustRoot"].strip()
    )


def trusts_only(host: Host, root: str) -> bool:
    """Tell whether a host trusts this root and no other."""
    found = (host.root / "data/swarm/certificates/root.crt").read_text()
    return found.strip() == root.strip()


def is_renewed(host: Host) -> bool:
    """Tell whether a host's certificate is by the new root: it shows the bridge to it."""
    chain = (host.root / "data/swarm/certificates/node.crt").read_text()
    return chain.count("BEGIN CERTIFICATE") == 2


def test_node_that_was_removed_while_the_root_changed_is_told_the_way_out(three: Cluster) -> None:
    """It holds nothing up, and joins again after it left."""
    first, _, worker = three
    worker.stop()
    first.docker("swarm", "ca", "--rotate", "--detach")
    first.docker("node", "rm", "--force", worker.hostname)
    wait_until(lambda: not is_rotating(first), "the rotation to end", 60)

    worker.start()
    wait_until(lambda: "leave --force" in worker.info()["Error"], "the node to know", 60)
    assert "root certificate" in worker.info()["Error"]

    worker.docker("swarm", "leave", "--force")
    join(worker, first, token_of(first, "worker"))
    wait_until(lambda: are_ready(first, 3), "all nodes to be ready")


@pytest.fixture
def alone(lan_of: LanOf) -> Host:
    """Lend a host in no swarm."""
    return lan_of(1)[0]


def unlock(host: Host, key: str) -> str:
    """Type a key; return what the CLI complains of."""
    return host.docker("swarm", "unlock", stdin=f"{key}\n".encode(), check=False).stderr


def key_in(text: str) -> str:
    """Return the unlock key that the CLI shows."""
    found = re.search(r"SWMKEY-1-\S{43}", text)
    assert found is not None, text
    return found[0]


def restart_by_crash(host: Host) -> None:
    """Let the host go down without a word, and come back."""
    host.crash()
    host.start()


def is_locked(host: Host) -> bool:
    """Tell whether the host waits for its key."""
    return bool(host.info()["LocalNodeState"] == "locked")


def is_ready(host: Host) -> bool:
    """Tell whether the only node is ready."""
    return "ready" in host.docker("node", "inspect", "self", check=False).stdout


def test_swarm_that_locks_from_its_beginning(alone: Host) -> None:
    key = key_in(init(alone, "--autolock"))
    wait_until(lambda: is_ready(alone), "the node to be ready")
    assert key == key_in(alone.docker("swarm", "unlock-key").stdout)

    restart_by_crash(alone)
    wait_until(lambda: is_locked(alone), "the lock")
    refused = alone.docker("node", "ls", check=False).stderr
    assert "Swarm is encrypted and needs to be unlocked before it can be used" in refused
    assert "invalid key provided" in unlock(alone, "SWMKEY-1-" + "A" * 43)
    assert is_locked(alone)

    assert "" == unlock(alone, key)
    wait_until(lambda: is_ready(alone), "the node to be ready")


def test_unlock_key_is_rotated_and_taken_off(alone: Host) -> None:
    init(alone)
    old = key_in(alone.docker("swarm", "update", "--autolock=true").stdout)
    new = key_in(alone.docker("swarm", "unlock-key", "--rotate").stdout)
    wait_until(lambda: not is_on_disk(alone, 'kek": "'), "the lock")

    restart_by_crash(alone)
    wait_until(lambda: is_locked(alone), "the lock")
    assert "invalid key provided" in unlock(alone, old)
    assert "" == unlock(alone, new)
    wait_until(lambda: is_ready(alone), "the node to be ready")

    alone.docker("swarm", "update", "--autolock=false")
    wait_until(lambda: is_on_disk(alone, 'kek": "'), "the lock to be off")
    restart_by_crash(alone)
    wait_until(lambda: is_ready(alone), "the node to be ready")


def is_on_disk(host: Host, text: str) -> bool:
    """Tell whether keys.json holds a text."""
    return text in (host.root / "data/swarm/keys.json").read_text()


def test_disk_of_a_locked_manager_tells_nothing(alone: Host) -> None:
    key = key_in(init(alone, "--autolock"))
    alone.docker("secret", "create", "s", "-", stdin=b"correct horse battery")
    tokens = [token_of(alone, role) for role in ("worker", "manager")]
    wait_until(lambda: is_ready(alone), "the node to be ready")
    alone.crash()

    written = {
        path.name: path.read_bytes()
        for path in (alone.root / "data/swarm").rglob("*")
        if path.is_file()
    }
    logs = alone.log.read_bytes()

    raw = base64.b64decode(key.removeprefix("SWMKEY-1-") + "=")
    secrets = [token.rpartition("-")[2].encode() for token in tokens]
    for sought in (key[9:].encode(), raw, b"correct horse battery", b"BEGIN EC", *secrets):
        assert [] == [name for name, content in written.items() if sought in content]
        assert sought not in logs
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in written["node.key"]
    keys = [name for name, content in written.items() if b"BEGIN PRIVATE KEY" in content]
    assert [] == keys
    alone.start()
