"""Faults under services on three managers and two workers: cut off, frozen, and whole again."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.following import COUNT, Followed, following, name_of
from tests.cluster.host import Host
from tests.cluster.hosts import Cluster
from tests.cluster.leftovers import swarms_traces
from tests.cluster.services import remove_services, running, serve, tasks, until_running
from tests.cluster.swarm import join, leader_of, nodes, until_managers, until_state
from tests.root.node import wait_until
from tests.root.overlay_bed import in_namespace

HOSTS = 5
MANAGERS = 3

# A node that stands still for so long is slow, and not dead.
STALL_S = 3.0
NO_NETWORK = ("--network", "none")


@pytest.fixture(autouse=True)
def _empty_again(swarm: Cluster) -> Iterator[None]:
    """Make the network whole, and remove what a test made."""
    yield
    swarm[0].network.heal()
    until_managers(swarm[0], MANAGERS)
    remove_services(swarm)


def containers(hosts: list[Host], service: str) -> Counter[str]:
    """Return how many containers run in each slot of a service, by the word of the engines."""
    names: list[str] = []
    for host in hosts:
        shown = host.docker("ps", "--format", "{{.Names}}", "-f", f"name=^{service}.").stdout
        names += shown.split()
    return Counter(name.rpartition(".")[0] for name in names)


def until_whole(hosts: list[Host], service: str, slots: int) -> None:
    """Wait until each slot has one container, and none has two."""
    expected = Counter(f"{service}.{slot}" for slot in range(1, slots + 1))
    wait_until(lambda: containers(hosts, service) == expected, f"{expected}", 60)


def test_a_worker_that_is_cut_off_is_replaced_and_one_that_is_slow_is_not(swarm: Cluster) -> None:
    """The log goes on all along, without a line lost or doubled of those that stay."""
    first, *_, slow, lost = swarm
    serve(first, "count", "--replicas", "5", "--restart-delay", "0s", *NO_NETWORK, *COUNT)
    before = until_running(first, "count", 5)
    lost_id, slow_id = lost.info()["NodeID"], slow.info()["NodeID"]
    with following(first, "count") as followed:
        wait_until(lambda: len(followed.numbers()) == 5, "lines of all", 30)

        slow.freeze()
        time.sleep(STALL_S)
        slow.thaw()
        lost.network.part(lost.number)

        until_state(first, lost, "Down")
        until_running(first, "count", 5)
        assert "Ready" == nodes(first)[slow.hostname]["Status"]
        stayed = [task for task in before if task["NodeID"] != lost_id]
        assert {task["ID"] for task in stayed} <= {each["ID"] for each in running(first, "count")}
        assert sum(containers(swarm, "count").values()) == 6, "nobody has told the lost one yet"
        lost.network.heal()
        until_state(first, lost, "Ready")
        until_whole(swarm, "count", 5)
        after = running(first, "count")
        until_shown(followed, [name_of(task, "count") for task in after])
        assert followed.end() == ""
    assert slow_id in {task["NodeID"] for task in after}
    assert_whole(followed)


def until_shown(followed: Followed, names: list[str]) -> None:
    """Wait until the log has a further line of each of these tasks."""
    seen = {name: len(lines) for name, lines in followed.numbers().items()}
    wait_until(
        lambda: all(len(followed.numbers()[name]) > seen.get(name, 0) for name in names),
        "further lines of all",
        30,
    )


def test_an_update_goes_on_under_the_next_leader_when_the_first_is_cut_off(swarm: Cluster) -> None:
    """What the old leader still believes is undone when it is back."""
    leader = leader_of(swarm[:MANAGERS])
    others = [host for host in swarm if host is not leader]
    followers = [host for host in swarm[:MANAGERS] if host is not leader]
    manager = followers[0]
    serve(manager, "web", "--replicas", "6", "--restart-delay", "0s", "--update-delay", "200ms",
          "--update-monitor", "200ms", *NO_NETWORK, *COUNT)  # fmt: skip
    until_running(manager, "web", 6)
    with following(manager, "web") as followed:
        wait_until(lambda: len(followed.numbers()) == 6, "lines of all", 30)
        manager.docker("service", "update", "-d", "--env-add", "A=1", "web")
        wait_until(lambda: updated(manager) >= 1, "the update to begin", 30)

        leader.network.part(leader.number)

        leader_of(followers)
        wait_until(lambda: update_state(manager) == "completed", "the update to end", 60)
        assert 6 == updated(manager)
        leader.network.heal()
        until_state(manager, leader, "Ready")
        until_managers(manager, MANAGERS)
        until_whole([*others, leader], "web", 6)
        assert 6 == updated(leader)
        until_shown(followed, [name_of(task, "web") for task in running(manager, "web")])
        assert followed.end() == ""
    assert_whole(followed)


def assert_whole(followed: Followed) -> None:
    """See that no line of any task was lost, nor shown twice."""
    for name, numbers in followed.numbers().items():
        assert numbers == list(range(1, numbers[-1] + 1)), name


def updated(host: Host) -> int:
    """Return how many tasks run that are as the update wants them."""
    return sum(task["Spec"]["ContainerSpec"].get("Env") == ["A=1"] for task in running(host, "web"))


def update_state(host: Host) -> str:
    """Return how far the update is."""
    template = "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}"
    return host.docker("service", "inspect", "-f", template, "web", check=False).stdout.strip()


def test_a_node_leaves_with_all_that_was_the_swarms_and_comes_back(swarm: Cluster) -> None:
    """A global job runs on the node that is new, and on no other once more."""
    manager, *_, removed, leaving = swarm
    sleep = ("busybox", "sleep", "1000")
    manager.docker("network", "create", "-d", "overlay", "--attachable", "net")
    manager.docker("secret", "create", "word", "-", stdin=b"correct horse")
    serve(manager, "all", "--mode", "global", "--network", "net", "--secret", "word", *sleep)
    until_running(manager, "all", HOSTS)
    for name, words in (("mine", ()), ("guest", ("--network", "net"))):
        leaving.docker("run", "-d", "--name", name, "--stop-timeout", "0", *words, *sleep)
    node_id = leaving.info()["NodeID"]

    leaving.docker("swarm", "leave")

    assert {"mine", "guest"} == {*leaving.docker("ps", "--format", "{{.Names}}").stdout.split()}
    assert not swarms_traces(leaving)
    until_state(manager, leaving, "Down")
    manager.docker("node", "rm", node_id)
    manager.docker("service", "create", "-d", "--name", "job", "--mode", "global-job",
                   *NO_NETWORK, "busybox", "true")  # fmt: skip
    until_complete(manager, HOSTS - 1)
    join(leaving, manager, "worker")
    until_complete(manager, HOSTS)
    until_running(manager, "all", HOSTS)

    removed_id = removed.info()["NodeID"]
    manager.docker("node", "rm", "--force", removed_id)

    wait_until(lambda: "was removed" in str(removed.info()["Error"]), "the removed one to know", 30)
    assert removed.docker("ps", "-q").stdout, "what runs goes on until the node leaves"
    until_running(manager, "all", HOSTS - 1)
    removed.docker("swarm", "leave", "--force")
    assert not removed.docker("ps", "-aq").stdout
    assert not swarms_traces(removed)
    join(removed, manager, "worker")
    until_running(manager, "all", HOSTS)
    leaving.docker("rm", "-f", "mine", "guest")
    remove_services(swarm)
    manager.docker("secret", "rm", "word")
    manager.docker("network", "rm", "net")


def until_complete(manager: Host, count: int) -> None:
    """Wait until the job has so many completions."""
    wait_until(
        lambda: ["complete"] * count == [each["Status"]["State"] for each in tasks(manager, "job")],
        f"{count} completions",
        40,
    )


def test_readers_and_registries_that_do_nothing_hold_nobody_up(swarm: Cluster) -> None:
    """Clients that stop reading a long log, and an image whose registry never answers."""
    manager, *_, loud, other = swarm
    on = "--constraint=node.hostname=={}".format
    serve(manager, "loud", on(loud.hostname), *NO_NETWORK,
          "busybox", "sh", "-c", "yes $(seq 30) | head -c 40000000; sleep 1000")  # fmt: skip
    (task,) = until_running(manager, "loud", 1)
    log = Path(str(loud.inspect(task["Status"]["ContainerStatus"]["ContainerID"])["LogPath"]))
    wait_until(lambda: log.stat().st_size > 40_000_000, "the long log", 60)
    before = {pid: peak_kib(pid) for host in (manager, loud) for pid in host.ours()}
    with ExitStack() as stack:
        for _ in range(4):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(manager.socket))
            client.sendall(b"GET /services/loud/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in client.recv(4096)
        silent = stack.enter_context(listening(other))
        port = silent.getsockname()[1]

        serve(manager, "hung", on(other.hostname), *NO_NETWORK, "--no-resolve-image",
              f"127.0.0.1:{port}/x:1")  # fmt: skip
        serve(manager, "count", on(other.hostname), *NO_NETWORK, *COUNT)
        wait_until(lambda: "preparing" in states(manager, "/x:1"), "the pull to hang")
        until_running(manager, "count", 1)
        with following(manager, "count") as followed:
            wait_until(lambda: len(followed.numbers()) == 1, "lines beside the long log", 30)
        manager.docker("service", "rm", "hung", "count")

        wait_until(lambda: not states(manager, "/x:1"), "the hung task to be gone", 30)
        after = {pid: peak_kib(pid) for pid in before}
    grown = {pid: after[pid] - before[pid] for pid in before}
    assert max(grown.values()) < 40 << 10, grown


def states(manager: Host, name: str) -> list[str]:
    """Return the states of the tasks of an image's name, of removed services' too."""
    shown: list[dict[str, Any]] = manager.get("/tasks")
    return [
        each["Status"]["State"] for each in shown if name in each["Spec"]["ContainerSpec"]["Image"]
    ]


def peak_kib(pid: int) -> int:
    """Return the most memory that a process ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


@contextmanager
def listening(host: Host) -> Iterator[socket.socket]:
    """Lend a port on a host's loopback that takes connections and never answers."""
    made = in_namespace(Path("/run/netns", host.network.namespace(host.number)), socket.socket)
    with made:
        made.bind(("127.0.0.1", 0))
        made.listen()
        yield made
