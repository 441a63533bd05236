"""Services on three managers by the docker command: made, changed, moved, and kept as wanted."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.host import Host
from tests.cluster.hosts import Cluster
from tests.cluster.services import remove_services, running, serve, tasks, until_running
from tests.cluster.swarm import leader_of, nodes, until_managers, until_state
from tests.root.node import wait_until

MANAGERS = 3

# Ends when it is asked to, which a bare `sleep` as the first process does not.
SLEEP = ("busybox", "sh", "-c", "trap exit TERM; sleep 1000 & wait")
BRIEFLY = ("--update-monitor", "500ms", "--rollback-monitor", "500ms")
NO_NETWORK = ("--network", "none")


@pytest.fixture(autouse=True)
def _empty_again(swarm: Cluster) -> Iterator[None]:
    """Remove the services that a test made, and see their containers go."""
    yield
    until_managers(swarm[0], 3)
    remove_services(swarm)


@pytest.fixture
def patience(swarm: Cluster) -> Iterator[None]:
    """Give nodes that are away all the time that a busy machine takes to bring them back."""
    swarm[0].docker("swarm", "update", "--dispatcher-heartbeat", "60s")
    yield
    for host in swarm:
        if not host.ours():
            host.start()
    until_managers(swarm[0], 3)
    swarm[0].docker("swarm", "update", "--dispatcher-heartbeat", "5s")


def update_state(host: Host, name: str) -> str:
    """Return how far the update of a service is."""
    template = "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}"
    return host.docker("service", "inspect", "-f", template, name, check=False).stdout.strip()


def test_command_takes_a_service_through_its_life(swarm: Cluster) -> None:
    """Not detached: the command itself waits for each step to converge."""
    first = swarm[0]
    created = first.docker(
        "service", "create", "--name", "web", "--replicas", "3", "--log-driver", "local",
        *NO_NETWORK, *BRIEFLY, *SLEEP,
    )  # fmt: skip
    assert "converged" in created.stdout
    assert "3/3" in first.docker("service", "ls").stdout

    assert "converged" in first.docker("service", "scale", "web=5").stdout
    assert {1, 2, 3, 4, 5} == {task["Slot"] for task in running(first, "web")}

    assert "converged" in first.docker("service", "update", "--env-add", "A=1", "web").stdout
    fresh = running(first, "web")
    assert [["A=1"]] * 5 == [task["Spec"]["ContainerSpec"]["Env"] for task in fresh]
    assert "completed" == update_state(first, "web")

    assert "converged" in first.docker("service", "rollback", "web").stdout
    assert all("Env" not in task["Spec"]["ContainerSpec"] for task in running(first, "web"))
    assert "rollback_completed" == update_state(first, "web")
    first.docker("service", "rm", "web")
    assert "" == first.docker("service", "ls", "-q").stdout


def test_label_alone_makes_no_new_tasks(swarm: Cluster) -> None:
    first = swarm[0]
    serve(first, "web", "--replicas", "2", *NO_NETWORK, *SLEEP)
    before = {task["ID"] for task in until_running(first, "web", 2)}

    first.docker("service", "update", "-d", "--label-add", "tier=front", "web")

    assert before == {task["ID"] for task in tasks(first, "web")}


def test_update_that_fails_rolls_back_by_itself(swarm: Cluster) -> None:
    first = swarm[0]
    serve(
        first, "web", "--replicas", "2", "--update-failure-action", "rollback",
        *NO_NETWORK, *BRIEFLY, *SLEEP,
    )  # fmt: skip
    until_running(first, "web", 2)

    first.docker("service", "update", "-d", "--args", "false", "--entrypoint", "busybox", "web")

    wait_until(
        lambda: update_state(first, "web") == "rollback_completed", "the way back", timeout_s=60
    )
    found = until_running(first, "web", 2)
    assert all(task["Spec"]["ContainerSpec"]["Args"] == [*SLEEP[1:]] for task in found)


def test_leader_that_dies_in_the_midst_of_an_update_is_not_missed(swarm: Cluster) -> None:
    """The next one reads from the state alone how far it was."""
    first = swarm[0]
    serve(first, "web", "--replicas", "6", "--update-delay", "300ms", *NO_NETWORK, *BRIEFLY, *SLEEP)
    until_running(first, "web", 6)
    first.docker("service", "update", "-d", "--env-add", "A=1", "web")
    wait_until(lambda: update_state(first, "web") == "updating", "the update to begin")

    leader_of(swarm).kill_manager()

    until_managers(first, 3)
    wait_until(lambda: update_state(first, "web") == "completed", "the update to end", timeout_s=60)
    found = until_running(first, "web", 6)
    assert [["A=1"]] * 6 == [task["Spec"]["ContainerSpec"]["Env"] for task in found]
    assert 6 == len({task["Slot"] for task in found})


@pytest.mark.usefixtures("patience")
def test_leader_restarted_in_order_loses_no_task_and_no_pause_of_an_update(
    swarm: Cluster,
) -> None:
    """The next leader knows from the state alone who will be back, and what stands still."""
    leader = leader_of(swarm)
    others = [host for host in swarm if host is not leader]
    serve(leader, "idle", "--replicas", "3", *NO_NETWORK, *SLEEP)
    serve(leader, "web", "--replicas", "3", *NO_NETWORK, *BRIEFLY, *SLEEP)
    until_running(leader, "web", 3)
    before = {task["ID"] for task in until_running(leader, "idle", 3)}
    leader.docker("service", "update", "-d", "--image", "busybox:none-such", "web")
    wait_until(lambda: update_state(leader, "web") == "paused", "the update to pause", 40)

    leader.stop()

    until_state(others[0], leader, "Disconnected")
    assert leader_of(others) in others
    assert "paused" == update_state(others[0], "web")
    leader.start()
    until_state(others[0], leader, "Ready")
    until_managers(others[0], 3)
    assert before == {task["ID"] for task in tasks(others[0], "idle")}
    assert "paused" == update_state(leader, "web")
    assert 2 == sum("none-such" not in image_of(task) for task in running(leader, "web"))


def image_of(task: dict[str, Any]) -> str:
    """Return the image that a task is to run."""
    return str(task["Spec"]["ContainerSpec"]["Image"])


def test_drained_node_is_emptied_and_filled_again(swarm: Cluster) -> None:
    first, _, third = swarm
    serve(first, "everywhere", "--mode", "global", *NO_NETWORK, *SLEEP)
    serve(first, "web", "--replicas", "3", *NO_NETWORK, *SLEEP)
    until_running(first, "everywhere", 3)
    until_running(first, "web", 3)

    first.docker("node", "update", "--availability", "drain", third.hostname)

    wait_until(lambda: not third.docker("ps", "-q").stdout, "the node to be empty", timeout_s=40)
    until_running(first, "web", 3)
    until_running(first, "everywhere", 2)
    first.docker("node", "update", "--availability", "active", third.hostname)
    until_running(first, "everywhere", 3)


def test_jobs_run_to_their_end(swarm: Cluster) -> None:
    first = swarm[0]

    done = first.docker(
        "service", "create", "--name", "job", "--mode", "replicated-job", "--replicas", "5",
        "--max-concurrent", "2", *NO_NETWORK, "busybox", "true",
    )  # fmt: skip

    assert "job complete" in done.stdout
    assert ["complete"] * 5 == [task["Status"]["State"] for task in tasks(first, "job")]


def test_impossible_constraint_is_told_and_met_later(swarm: Cluster) -> None:
    first, second, _ = swarm
    serve(first, "web", "--constraint", "node.labels.disk==ssd", *NO_NETWORK, *SLEEP)
    wait_until(
        lambda: (
            "no suitable node (scheduling constraints not satisfied on 3 nodes)"
            in first.docker("service", "ps", "--no-trunc", "web").stdout
        ),
        "words why",
    )

    first.docker("node", "update", "--label-add", "disk=ssd", second.hostname)

    (task,) = until_running(first, "web", 1)
    assert nodes(first)[second.hostname]["ID"].startswith(task["NodeID"][:12])
    first.docker("node", "update", "--label-rm", "disk", second.hostname)


def test_tasks_that_crash_at_once_leave_a_bounded_history(swarm: Cluster) -> None:
    first = swarm[0]
    serve(
        first, "crash", "--replicas", "1", "--restart-delay", "0s", *NO_NETWORK, "busybox", "false"
    )

    seen: set[str] = set()

    def has_crashed_often() -> bool:
        found = tasks(first, "crash")
        seen.update(task["ID"] for task in found if task["Status"]["State"] == "failed")
        return len(seen) >= 7

    wait_until(has_crashed_often, "seven crashes", timeout_s=60)
    wait_until(lambda: len(tasks(first, "crash")) <= 6, "the history to be cut to its limit")
    assert "task: non-zero exit (1)" in first.docker("service", "ps", "--no-trunc", "crash").stdout


def test_logs_come_from_all_nodes_and_say_from_which(swarm: Cluster) -> None:
    """Read at a manager that does not lead."""
    first = swarm[0]
    follower = next(host for host in swarm if host is not leader_of(swarm))
    serve(first, "talk", "--mode", "global", *NO_NETWORK, "busybox", "sh", "-c",
          "echo hello; echo trouble >&2; trap exit TERM; sleep 1000 & wait")  # fmt: skip
    until_running(first, "talk", 3)

    lines: list[str] = []

    def is_whole() -> bool:
        found = follower.docker("service", "logs", "talk")
        lines[:] = [*found.stdout.splitlines(), *(f"! {x}" for x in found.stderr.splitlines())]
        return len(lines) == 6

    wait_until(is_whole, "six lines")
    for host in swarm:
        assert sum(f"@{host.hostname} " in line for line in lines) == 2
    assert 3 == sum(line.startswith("! ") and line.endswith("trouble") for line in lines)
    task = running(first, "talk")[0]
    raw = first.docker("service", "logs", "--raw", "--tail", "1", task["ID"])
    assert "hello\n" in raw.stdout + raw.stderr or "trouble\n" in raw.stdout + raw.stderr


def test_followed_logs_go_on_with_tasks_that_come(swarm: Cluster) -> None:
    first = swarm[0]
    serve(first, "talk", "--replicas", "1", *NO_NETWORK, "busybox", "sh", "-c",
          "echo hello; trap exit TERM; sleep 1000 & wait")  # fmt: skip
    until_running(first, "talk", 1)
    with (first.root / "followed").open("wb") as out:
        reader = subprocess.Popen(
            ["docker", "-H", first.url, "service", "logs", "-f", "talk"], stdout=out
        )
    try:
        heard = first.root / "followed"
        wait_until(lambda: heard.read_text().count("hello") == 1, "the first task's line")

        first.docker("service", "scale", "-d", "talk=4")

        wait_until(lambda: heard.read_text().count("hello") == 4, "the others' lines", 40)
    finally:
        reader.kill()
        reader.wait()
