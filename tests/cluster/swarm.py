"""A swarm on hosts of a network: made and looked at through the docker CLI alone."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from api.errors import SkepError
from tests.cluster.host import Host
from tests.cluster.hosts import Cluster, start_all
from tests.root.node import wait_until

# Long enough for an election among managers that share two processors.
SOON_S = 60.0


def found(first: Host, *flags: str) -> str:
    """Make a swarm with this host as its only manager; return what the CLI says."""
    return first.docker("swarm", "init", *flags).stdout


def token(manager: Host, role: str) -> str:
    """Return the join token of a role."""
    return manager.docker("swarm", "join-token", "-q", role).stdout.strip()


def join(host: Host, via: Host, role: str, *flags: str) -> str:
    """Let a host join in a role; return what the CLI says."""
    address = f"{via.address}:2377"
    return host.docker("swarm", "join", "--token", token(via, role), *flags, address).stdout


def swarm_of(hosts: Cluster, managers: int, heartbeat: str = "1s") -> None:
    """Start all hosts and make them a swarm with so many managers, the first ones."""
    start_all(hosts)
    first, *others = hosts
    found(first, "--dispatcher-heartbeat", heartbeat)
    with ThreadPoolExecutor(len(hosts)) as pool:
        roles = ["manager"] * (managers - 1) + ["worker"] * (len(hosts) - managers)
        list(pool.map(lambda pair: join(pair[0], first, pair[1]), zip(others, roles, strict=True)))
    until_managers(first, managers)


def nodes(manager: Host) -> dict[str, dict[str, Any]]:
    """Return `docker node ls` of a manager by host name, as the CLI prints it."""
    lines = manager.docker("node", "ls", "--format", "{{json .}}").stdout.splitlines()
    return {row["Hostname"]: row for row in map(json.loads, lines)}


def asked(manager: Host, *command: str) -> str:
    """Return what a manager prints, or its error, without failing."""
    done = manager.docker(*command, check=False)
    return done.stdout.strip() or done.stderr.strip()


def is_leaderless(manager: Host) -> bool:
    """Tell whether a manager says that it knows no leader."""
    return "The swarm does not have a leader" in asked(manager, "node", "ls")


def until_managers(manager: Host, count: int) -> None:
    """Wait until so many managers are reachable and vote, by the word of this one.

    A manager that has just joined catches up before it has a vote; until then it helps nobody.
    """

    def is_so() -> bool:
        try:
            found_ = manager.get("/cluster/status")
        except SkepError:
            return False
        voters = [each for each in found_["Members"] if each["IsVoter"] and each["IsReachable"]]
        return bool(found_["HasQuorum"]) and len(voters) == len(found_["Members"]) == count

    wait_until(is_so, f"{count} managers at {manager.hostname}", SOON_S)


def until_state(manager: Host, host: Host, state: str) -> None:
    """Wait until a host has this state, by the word of a manager."""
    wait_until(
        lambda: nodes(manager)[host.hostname]["Status"] == state,
        f"{host.hostname} to be {state}",
        60,
    )


def until_written(manager: Host, timeout_s: float = 10) -> str:
    """Write something; return its name once a write was acknowledged.

    Each try has a name of its own: what became of one that failed may be unknown.
    """
    names: list[str] = []

    def is_acknowledged() -> bool:
        names.append(f"c{secrets.token_hex(4)}")
        done = manager.docker("config", "create", names[-1], "/etc/hosts", check=False)
        return done.returncode == 0

    wait_until(is_acknowledged, f"a write at {manager.hostname}", timeout_s)
    return names[-1]


def configs(manager: Host) -> set[str]:
    """Return the names of the configs that a manager shows."""
    return set(manager.docker("config", "ls", "--format", "{{.Name}}").stdout.split())


def leader_of(hosts: Sequence[Host]) -> Host:
    """Return the host whose manager leads, by the word of the first that answers."""
    found_: list[Host] = []

    def is_known() -> bool:
        for host in hosts:
            done = host.docker("node", "ls", "--format", "{{json .}}", check=False)
            for row in map(json.loads, done.stdout.splitlines()):
                if row["ManagerStatus"] == "Leader":
                    found_[:] = [each for each in hosts if each.hostname == row["Hostname"]]
                    return bool(found_)
        return False

    wait_until(is_known, "a leader", SOON_S)
    return found_[0]
