"""A stack of many services on three managers, by the docker CLI: up, through faults, and gone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.docker_command import needs_docker_command
from tests.cluster.following import following, name_of
from tests.cluster.host import Host
from tests.cluster.hosts import Cluster
from tests.cluster.lan import kill_all
from tests.cluster.services import until_empty, until_running
from tests.cluster.swarm import leader_of, until_managers, until_state
from tests.root.node import wait_until

MANAGERS = 3
HEARTBEAT = "1s"

pytestmark = needs_docker_command(25)  # `stack deploy` of jobs

PASSWORD = "correct horse battery staple"
STACK = """
version: "3.8"
x-idle: &idle
  image: busybox
  init: true
  command: ["sleep", "100000"]
services:
  vote:
    <<: *idle
    configs: [{source: settings, target: /settings}]
    deploy:
      replicas: 3
      update_config: {parallelism: 2, order: start-first, monitor: 0s}
      restart_policy: {delay: 0s}
  redis: *idle
  worker:
    <<: *idle
    command: ["sh", "-c", "i=0; while i=$$((i+1)); do echo line $$i; sleep 1; done"]
    deploy: {replicas: 2, restart_policy: {delay: 0s}}
  db:
    <<: *idle
    command: ["sh", "-c", "echo started >> /data/rows; exec sleep 100000"]
    volumes: ["rows:/data"]
    secrets: [{source: password, target: word, mode: 0400}]
    deploy: {placement: {constraints: ["node.hostname==host1"]}}
  monitor:
    <<: *idle
    deploy: {mode: global}
  migrate:
    image: busybox
    command: ["true"]
    deploy: {mode: replicated-job, replicas: 2}
volumes: {rows: {}}
secrets: {password: {file: ./password}}
configs: {settings: {file: ./settings, template_driver: golang}}
"""
SLOTS = Counter(
    [*(f"shop_vote.{slot}" for slot in (1, 2, 3)), "shop_worker.1", "shop_worker.2"]
    + ["shop_redis.1", "shop_db.1"]
    + ["shop_monitor"] * 3
)


@pytest.fixture(scope="module")
def stack(swarm: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Lend the swarm with the stack on it, all of it running; in the end nothing of it is left.

    Each test leaves it as it was.
    """
    tmp_path = tmp_path_factory.mktemp("stack")
    (tmp_path / "stack.yml").write_text(STACK)
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "settings").write_text("I am {{.Service.Name}} {{.Task.Slot}}")
    swarm[0].docker("stack", "deploy", "-c", str(tmp_path / "stack.yml"), "shop")
    until_slots(swarm, SLOTS)
    yield swarm
    swarm[0].docker("stack", "rm", "shop")
    until_empty(swarm)
    wait_until(
        lambda: not swarm[0].docker("network", "ls", "-q", "-f", "name=shop").stdout,
        "the stack's network to go",
    )
    for kind in ("secret", "config"):
        assert "" == swarm[0].docker(kind, "ls", "-q").stdout


def slots(hosts: list[Host]) -> Counter[str]:
    """Return which slots have running containers, and how many, by the word of their engines."""
    names: list[str] = []
    for host in hosts:
        names += host.docker("ps", "--format", "{{.Names}}").stdout.split()
    return Counter(
        name.rpartition(".")[0] if "monitor" not in name else "shop_monitor" for name in names
    )


def until_slots(hosts: list[Host], expected: Counter[str]) -> None:
    """Wait until just these slots have just these numbers of containers."""
    try:
        wait_until(lambda: slots(hosts) == expected, f"{expected}", 30)
    except AssertionError as error:
        shown = hosts[0].docker("stack", "ps", "--no-trunc", "shop", check=False).stdout
        raise AssertionError(f"{slots(hosts)}\n{shown}") from error


def containers(host: Host, service: str) -> list[str]:
    """Return the ids of a service's running containers on a host."""
    return host.docker("ps", "-q", "--no-trunc", "-f", f"name=shop_{service}").stdout.split()


def replicas(manager: Host) -> dict[str, str]:
    """Return what `docker stack services` shows."""
    lines = manager.docker(
        "stack", "services", "shop", "--format", "{{json .}}"
    ).stdout.splitlines()
    return {row["Name"]: row["Replicas"] for row in map(json.loads, lines)}


def test_all_of_it_runs_and_its_parts_find_one_another(stack: Cluster) -> None:
    wait_until(lambda: "0/2 (2/2 completed)" == replicas(stack[0])["shop_migrate"], "the job's end")
    (db,) = containers(stack[1], "db")
    done = stack[1].docker(
        "exec", db, "sh", "-c",
        "cat /run/secrets/word /data/rows; ping -c1 -W5 redis >/dev/null && nslookup tasks.worker",
    )  # fmt: skip

    assert done.stdout.startswith(f"{PASSWORD}started\n")
    assert 2 == done.stdout.count("Name:\ttasks.worker")
    for host in stack:
        for vote in containers(host, "vote"):
            assert host.docker("exec", vote, "cat", "/settings").stdout.startswith("I am shop_vote")
    for host in (stack[0], stack[2]):
        assert not any(
            PASSWORD.encode() in path.read_bytes()
            for path in (host.root / "data").rglob("*")
            if path.is_file() and not path.is_symlink() and "layers" not in path.parts
        ), "a secret is on a disk"


def test_a_drained_node_is_emptied_and_one_that_is_back_gets_its_share_where_that_is_wanted(
    stack: Cluster,
) -> None:
    manager = stack[0]
    manager.docker("node", "update", "--availability", "drain", "host2")
    until_slots(stack[:2], SLOTS - Counter(["shop_monitor"]))
    assert not slots([stack[2]])
    manager.docker(
        "service", "update", "-d", "--label-add", "skep.rebalance=auto", "shop_vote"
    )  # fmt: skip

    manager.docker("node", "update", "--availability", "active", "host2")

    wait_until(lambda: len(containers(stack[2], "vote")) == 1, "a task to move", 60)
    until_slots(stack, SLOTS)
    assert not containers(stack[2], "worker"), "nobody asked for that"
    manager.docker("service", "update", "-d", "--label-rm", "skep.rebalance", "shop_vote")


def test_the_leader_dies_with_its_tasks_and_comes_back_without_doubles(stack: Cluster) -> None:
    """Of the slots that it had each is filled elsewhere, but for what is bound to its node."""
    leader = leader_of(stack)
    others = [host for host in stack if host is not leader]
    lost = Counter(["shop_monitor"]) + Counter(["shop_db.1"] if leader is stack[1] else [])

    leader.crash()

    until_slots(others, SLOTS - lost)
    leader.start()
    until_state(others[0], leader, "Ready")
    until_managers(others[0], 3)
    until_slots(stack, SLOTS)


def test_monitors_and_containers_that_are_killed_are_replaced(stack: Cluster) -> None:
    host = next(each for each in stack if containers(each, "vote"))
    before = containers(host, "vote")
    shown = host.docker("inspect", "-f", "{{.State.Pid}}", before[0]).stdout

    kill_all([int(shown)])

    wait_until(lambda: before[0] not in containers(host, "vote"), "its end")
    until_slots(stack, SLOTS)
    monitors = [pid for pid in host.network.processes(host.number) if is_monitor(pid)]
    assert monitors
    kill_all(monitors)
    until_slots(stack, SLOTS)


def is_monitor(pid: int) -> bool:
    """Tell whether a process is a container's monitor."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "conmon"
    except OSError:
        return False


def test_scaled_up_and_down_by_many(stack: Cluster) -> None:
    """The log shows the first line of each that comes, and no line twice or too few."""
    more = Counter(f"shop_worker.{slot}" for slot in range(3, 51))

    with following(stack[0], "shop_worker") as followed:
        stack[0].docker("service", "scale", "-d", "shop_worker=50")
        until_slots(stack, SLOTS + more)
        found = until_running(stack[0], "shop_worker", 50)
        names = {name_of(each, "shop_worker") for each in found}
        wait_until(lambda: names <= followed.numbers().keys(), "lines of all", 60)
        stack[0].docker("service", "scale", "-d", "shop_worker=2")

        wait_until(lambda: sum(slots(stack).values()) == sum(SLOTS.values()), "fewer", 60)
        assert followed.end() == ""
    assert "2/2" == replicas(stack[0])["shop_worker"]
    for name, numbers in followed.numbers().items():
        assert numbers == list(range(1, numbers[-1] + 1)), name
