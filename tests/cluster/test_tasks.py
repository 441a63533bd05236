"""Tasks on the nodes of a swarm: where they run, what they find, and what they outlive."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.host import Host
from tests.cluster.hosts import Cluster, start_all
from tests.cluster.services import remove_services, running, serve, tasks, until_running
from tests.cluster.swarm import join, until_state
from tests.root.node import wait_until

SLEEP = ("busybox", "sleep", "1000")
SECRET = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _empty_again(swarm: Cluster) -> Iterator[None]:
    """Remove the services that a test made, and see their containers go."""
    yield
    remove_services(swarm)


def host_of(swarm: Cluster, task: dict[str, Any]) -> Host:
    """Return the host that a task runs on."""
    return next(each for each in swarm if each.info()["NodeID"] == task["NodeID"])


def container_of(swarm: Cluster, task: dict[str, Any]) -> dict[str, Any]:
    """Return `docker inspect` of a task's container, by its own host."""
    return host_of(swarm, task).inspect(task["Status"]["ContainerStatus"]["ContainerID"])


def output_of(swarm: Cluster, task: dict[str, Any]) -> str:
    """Return what a task's container has written."""
    container = task["Status"]["ContainerStatus"]["ContainerID"]
    done = host_of(swarm, task).docker("logs", container)
    return done.stdout + done.stderr


def until_ended(manager: Host, name: str, state: str) -> dict[str, Any]:
    """Return a task of a service once it has ended so."""
    ended: Callable[[], list[dict[str, Any]]] = lambda: [  # noqa: E731 - asked twice
        each for each in tasks(manager, name) if each["Status"]["State"] == state
    ]
    wait_until(lambda: bool(ended()), f"a task of {name} to be {state}", 40)
    return ended()[0]


def test_tasks_are_containers_on_all_nodes_with_the_references_names_and_labels(
    swarm: Cluster,
) -> None:
    serve(swarm[0], "web", "--replicas", "3", "--label", "a=b", "--container-label", "c=d", *SLEEP)

    found = until_running(swarm[0], "web", 3)

    assert 3 == len({each["NodeID"] for each in found})
    for task in found:
        shown = container_of(swarm, task)
        name = f"web.{task['Slot']}.{task['ID']}"
        assert f"/{name}" == shown["Name"]
        assert {
            "c": "d",
            "com.docker.swarm.task": "",
            "com.docker.swarm.task.id": task["ID"],
            "com.docker.swarm.task.name": name,
            "com.docker.swarm.node.id": task["NodeID"],
            "com.docker.swarm.service.id": task["ServiceID"],
            "com.docker.swarm.service.name": "web",
        } == shown["Config"]["Labels"]
        assert shown["State"]["Pid"] == task["Status"]["ContainerStatus"]["PID"]


def test_placeholders_stand_for_the_task_and_its_node(swarm: Cluster) -> None:
    serve(
        swarm[0], "named", "--hostname", "{{.Service.Name}}-{{.Task.Slot}}",
        "--env", "WHERE={{.Node.Hostname}}",
        "busybox", "sh", "-c", "echo $(hostname) $WHERE; sleep 1000",
    )  # fmt: skip

    (task,) = until_running(swarm[0], "named", 1)

    where = host_of(swarm, task).hostname
    wait_until(lambda: output_of(swarm, task) == f"named-1 {where}\n", "its output")


def test_a_secret_is_read_by_its_task_and_is_on_no_disk(swarm: Cluster) -> None:
    """Not on the workers' disks, not in inspect, and gone with the task."""
    manager, *workers = swarm
    manager.docker("secret", "create", "pw", "-", stdin=SECRET.encode())
    manager.docker("config", "create", "conf", "-", stdin=b"who={{.Service.Name}}")
    serve(
        manager, "keeper", "--replicas", "3",
        "--secret", "source=pw,target=word,uid=33,mode=0400",
        "--config", "source=conf,target=/conf",
        "busybox", "sh", "-c",
        "cat /run/secrets/word /conf; stat -c ' %u %a' /run/secrets/word; sleep 1000",
    )  # fmt: skip

    for task in until_running(manager, "keeper", 3):
        expected = f"{SECRET}who={{{{.Service.Name}}}} 33 400\n"
        wait_until(
            lambda each=task, words=expected: output_of(swarm, each) == words,  # type: ignore[misc] # bound
            "the secret to be read",
        )
        assert SECRET not in json.dumps(container_of(swarm, task))
    for worker in workers:
        assert not holds(worker.root / "data" / "swarm", SECRET)
        assert not holds(worker.root / "data" / "engine.db", SECRET)

    manager.docker("service", "rm", "keeper")

    for host in swarm:
        directory = host.root / "exec" / "tasks"
        wait_until(
            lambda each=directory: not any(each.iterdir()),  # type: ignore[misc] # bound
            "the secret's files to go",
        )
    manager.docker("secret", "rm", "pw")
    manager.docker("config", "rm", "conf")


def holds(path: Path, text: str) -> bool:
    """Tell whether a text is in a file, or in one of a directory's."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return any(text.encode() in each.read_bytes() for each in files)


def test_why_a_task_failed_reaches_the_user(swarm: Cluster) -> None:
    manager = swarm[0]
    serve(manager, "bad", "--restart-condition", "none", "busybox", "sh", "-c", "exit 7")
    serve(manager, "absent", "--restart-condition", "none", "busybox", "/no/such/program")
    serve(manager, "lost", "--restart-condition", "none", "--no-resolve-image", "127.0.0.1:1/x:y")

    assert "task: non-zero exit (7)" == until_ended(manager, "bad", "failed")["Status"]["Err"]
    assert "/no/such/program" in until_ended(manager, "absent", "failed")["Status"]["Err"]
    assert "127.0.0.1:1" in until_ended(manager, "lost", "rejected")["Status"]["Err"]


def test_an_unhealthy_task_is_replaced(swarm: Cluster) -> None:
    """It falls ill when it is told to, and so does no other: a busy machine has its time."""
    manager = swarm[0]
    serve(
        manager, "sick", "--health-cmd", "test ! -e /tmp/sick", "--health-interval", "200ms",
        "--health-retries", "1", "--restart-delay", "0s", *SLEEP,
    )  # fmt: skip
    (first,) = until_running(manager, "sick", 1)
    container = first["Status"]["ContainerStatus"]["ContainerID"]

    host_of(swarm, first).docker("exec", container, "touch", "/tmp/sick")

    failed = until_ended(manager, "sick", "failed")
    assert first["ID"] == failed["ID"]
    assert "unhealthy container" in failed["Status"]["Err"]
    (second,) = until_running(manager, "sick", 1)
    assert first["ID"] != second["ID"]


def test_containers_outlive_their_daemon_and_tasks_are_not_replaced(swarm: Cluster) -> None:
    """The agent finds its containers again after a crash of its own.

    The managers are away meanwhile: a daemon that takes its time is none of this test's business.
    """
    manager, *workers = swarm
    serve(manager, "steady", "--replicas", "3", *SLEEP)
    before = until_running(manager, "steady", 3)
    manager.crash()
    for worker in workers:
        worker.crash()

    start_all(swarm)

    wait_until(lambda: bool(manager.info()["ControlAvailable"]), "the manager", 40)
    for host in swarm:
        until_state(manager, host, "Ready")
    after = until_running(manager, "steady", 3)
    assert {each["ID"] for each in before} == {each["ID"] for each in after}
    for task in after:
        assert task["Status"]["ContainerStatus"]["PID"] == container_of(swarm, task)["State"]["Pid"]


def test_tasks_go_on_without_managers_and_tell_their_end_afterwards(
    swarm: Cluster, tmp_path: Path
) -> None:
    manager, worker = swarm[0], swarm[1]
    serve(
        manager, "alone", "--restart-condition", "none", "--constraint", "node.hostname==host1",
        "--mount", f"type=bind,source={tmp_path},target=/signs",
        "busybox", "sh", "-c", "while [ ! -e /signs/go ]; do usleep 50000; done",
    )  # fmt: skip
    (task,) = until_running(manager, "alone", 1)
    container = task["Status"]["ContainerStatus"]["ContainerID"]
    manager.crash()

    (tmp_path / "go").touch()

    wait_until(lambda: worker.inspect(container)["State"]["Status"] == "exited", "the end")  # type: ignore[index] # JSON
    manager.start()
    wait_until(lambda: bool(manager.info()["ControlAvailable"]), "the manager", 40)
    assert task["ID"] == until_ended(manager, "alone", "complete")["ID"]


def test_a_node_that_dies_loses_its_tasks_to_the_others_and_is_told_so_when_it_is_back(
    swarm: Cluster,
) -> None:
    manager = swarm[0]
    serve(manager, "moved", "--replicas", "3", "--restart-delay", "0s", *SLEEP)
    (lost,) = [
        each for each in until_running(manager, "moved", 3) if host_of(swarm, each) is swarm[2]
    ]
    swarm[2].network.unplug(2)
    try:
        until_state(manager, swarm[2], "Down")
        wait_until(
            lambda: (
                {each["NodeID"] for each in running(manager, "moved")}
                == {host.info()["NodeID"] for host in swarm[:2]}
                and len(running(manager, "moved")) == 3
            ),
            "the tasks elsewhere",
            40,
        )
        assert swarm[2].docker("ps", "-q").stdout, "nobody has told it yet"
    finally:
        swarm[2].network.plug(2)

    until_state(manager, swarm[2], "Ready")
    wait_until(
        lambda: (
            not any(
                each["ID"] == lost["ID"] and each["Status"]["State"] == "running"
                for each in tasks(manager, "moved")
            )
        ),
        "the lost task's end",
        40,
    )
    name = f"moved.{lost['Slot']}.{lost['ID']}"
    wait_until(
        lambda: name not in swarm[2].docker("ps", "--format", "{{.Names}}").stdout, "it to stop", 40
    )


def test_a_worker_that_leaves_takes_its_tasks_along(swarm: Cluster) -> None:
    manager, worker = swarm[0], swarm[2]
    serve(manager, "all", "--mode", "global", *SLEEP)
    until_running(manager, "all", 3)
    node_id = worker.info()["NodeID"]

    worker.docker("swarm", "leave")

    assert "" == worker.docker("ps", "-aq").stdout
    until_running(manager, "all", 2)
    manager.docker("node", "rm", "--force", node_id)
    join(worker, manager, "worker")
    until_running(manager, "all", 3)
