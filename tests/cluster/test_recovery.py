"""When the worst has happened: quorum gone for ever, all managers locked, disks full."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.host import Host
from tests.cluster.hosts import Cluster, hosts_on_a_lan, start_all
from tests.cluster.swarm import (
    asked,
    configs,
    found,
    is_leaderless,
    join,
    leader_of,
    nodes,
    swarm_of,
    until_managers,
    until_state,
    until_written,
)
from tests.root.node import wait_until


@contextmanager
def swarm(size: int, managers: int) -> Iterator[Cluster]:
    """Lend a swarm of its own to a test."""
    with hosts_on_a_lan(size) as hosts:
        swarm_of(hosts, managers)
        yield hosts


def test_a_new_cluster_is_forced_from_one_manager_that_is_left() -> None:
    """State is kept, the lost managers are none any more, and fresh ones may join."""
    with swarm(4, managers=3) as (left, *lost, worker):
        left.docker("config", "create", "kept", "/etc/hosts")
        for each in lost:
            each.crash()
        wait_until(lambda: is_leaderless(left), "the loss to be told", 30)

        said = found(left, "--force-new-cluster")

        assert "is now a manager" in said
        assert "kept" in configs(left)
        rows = nodes(left)
        assert ["Leader", "", ""] == [rows[f"host{each}"]["ManagerStatus"] for each in (0, 1, 2)]
        left.docker("node", "rm", "--force", "host1", "host2")
        until_state(left, worker, "Ready")
        lost[0].start()
        lost[0].docker("swarm", "leave", "--force")
        join(lost[0], left, "manager")
        until_managers(left, 2)


def test_locked_managers_start_with_their_key_alone() -> None:
    """Nothing that opens their data is on their disks."""
    with hosts_on_a_lan(2) as hosts:
        first, second = hosts
        start_all(hosts)
        key = unlock_key_in(found(first, "--autolock", "--dispatcher-heartbeat", "1s"))
        first.docker("config", "create", "kept", "/etc/hosts")
        join(second, first, "manager")
        until_managers(first, 2)
        assert key == first.docker("swarm", "unlock-key", "-q").stdout.strip()
        for each in hosts:
            each.crash()
            assert key.encode() not in everything_in(each)

        start_all(hosts)

        for each in hosts:
            wait_until(lambda host=each: host.info()["LocalNodeState"] == "locked", "the lock", 30)  # type: ignore[misc] # bound
            assert "Swarm is encrypted and needs to be unlocked" in asked(each, "node", "ls")
        assert "invalid key" in unlock(first, f"SWMKEY-1-{'A' * 43}")
        assert "" == unlock(first, key)
        assert "" == unlock(second, key)
        until_managers(first, 2)
        assert "kept" in configs(second)
        assert "swarm is not locked" in unlock(first, key)


def test_five_managers_stand_the_loss_of_two_and_say_when_it_is_three() -> None:
    with swarm(5, managers=5) as hosts:
        leader = leader_of(hosts)
        others = [each for each in hosts if each is not leader]
        leader.crash()
        others[0].crash()

        written = until_written(others[1])

        assert written in configs(others[2])
        others[1].crash()
        wait_until(lambda: is_leaderless(others[2]), "the loss to be told", 30)
        start_all([leader, others[0], others[1]])
        until_managers(others[2], 5)
        assert written in configs(leader)


def test_a_backup_brings_the_cluster_back_on_another_machine() -> None:
    with hosts_on_a_lan(2) as hosts:
        old, new = hosts
        start_all(hosts)
        found(old)
        old.docker("config", "create", "kept", "/etc/hosts")
        file, key = old.root / "backup", old.root / "key"
        old.skep("cluster", "backup", str(file), "--key-file", str(key))
        old.crash()

        assert "is restored" in new.skep("cluster", "restore", str(file), "--key-file", str(key))

        assert {"kept"} == configs(new)
        assert "Leader" == nodes(new)["host1"]["ManagerStatus"]


def test_a_manager_on_a_full_disk_does_no_harm_and_comes_back() -> None:
    """Its log cannot be written: it stops rather than forgets, and the others go on."""
    with hosts_on_a_lan(3) as hosts:
        full, *others = hosts
        full.limit_disk(48)
        swarm_of(hosts, managers=3)
        full.fill_disk()

        written = {until_written(others[0], 30) for _ in range(3)}

        full.free_disk()
        until_managers(full, 3)
        wait_until(lambda: written <= configs(full), "all that was written meanwhile")


def unlock_key_in(said: str) -> str:
    """Return the key in what the CLI says."""
    found_ = re.search(r"SWMKEY-1-[A-Za-z0-9+/]{43}", said)
    assert found_ is not None, said
    return found_[0]


def unlock(host: Host, key: str) -> str:
    """Give a manager a key, as `docker swarm unlock` does; return the error, "" for none."""
    done = host.docker("swarm", "unlock", check=False, stdin=f"{key}\n".encode())
    return done.stderr.strip() if done.returncode else ""


def everything_in(host: Host) -> bytes:
    """Return what is on the disk of a node's part in the swarm."""
    files = (host.root / "data/swarm").rglob("*")
    return b"".join(each.read_bytes() for each in files if each.is_file())
