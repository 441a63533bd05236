"""Every object's events, with the attributes that Docker's have."""

from __future__ import annotations

import json

import pytest

from tests.root.images import ImageSpec, busybox_layer, docker_archive
from tests.root.node import Node

EXPECTED = {
    ("image", "load"): {"name"},
    ("image", "tag"): {"name"},
    ("image", "untag"): {"name"},
    ("image", "save"): {"name"},
    ("image", "delete"): {"name"},
    ("image", "prune"): {"reclaimed"},
    ("container", "create"): {"image", "name", "team"},
    ("container", "attach"): {"image", "name", "team"},
    ("container", "start"): {"image", "name", "team"},
    ("container", "exec_create: true"): {"image", "name", "team", "execID"},
    ("container", "exec_start: true"): {"image", "name", "team", "execID"},
    ("container", "exec_die"): {"image", "name", "team", "execID", "exitCode"},
    ("container", "pause"): {"image", "name", "team"},
    ("container", "unpause"): {"image", "name", "team"},
    ("container", "top"): {"image", "name", "team"},
    ("container", "rename"): {"image", "name", "team", "oldName"},
    ("container", "restart"): {"image", "name", "team"},
    ("container", "kill"): {"image", "name", "team", "signal"},
    ("container", "die"): {"image", "name", "team", "exitCode", "execDuration"},
    ("container", "stop"): {"image", "name", "team"},
    ("container", "destroy"): {"image", "name", "team"},
    ("container", "prune"): {"reclaimed"},
    ("network", "create"): {"name", "type"},
    ("network", "connect"): {"container", "name", "type"},
    ("network", "disconnect"): {"container", "name", "type"},
    ("network", "destroy"): {"name", "type"},
    ("network", "prune"): {"reclaimed"},
    ("volume", "create"): {"driver"},
    ("volume", "mount"): {"container", "destination", "driver", "propagation", "read/write"},
    ("volume", "unmount"): {"container", "driver"},
    ("volume", "destroy"): {"driver"},
    ("volume", "prune"): {"reclaimed"},
}
STORY = """
    tag busybox ev-tag:1
    rmi ev-tag:1
    save -o ROOT/saved.tar busybox
    network create ev-net
    volume create ev-vol
    run -d --name ev-one --network ev-net -v ev-vol:/v --label team=a busybox sleep 1000
    exec ev-one true
    pause ev-one
    unpause ev-one
    top ev-one
    rename ev-one ev-two
    restart -t 0 ev-two
    stop -t 0 ev-two
    rm ev-two
    run --rm --name ev-three --network ev-net --label team=a busybox true
    volume rm ev-vol
    network rm ev-net
    image rm ev-gone:1
    container prune -f
    network prune -f
    volume prune -f
    image prune -f
"""


@pytest.fixture(scope="module")
def told(shared_daemon: Node) -> list[dict[str, object]]:
    """Lend the events of a story that touches everything."""
    since = shared_daemon.docker("info", "-f", "{{.SystemTime}}").stdout.strip()
    gone = ImageSpec(["ev-gone:1"], [busybox_layer()], {"Labels": {"x": "y"}})
    shared_daemon.docker("load", stdin=docker_archive([gone]))
    for line in STORY.strip().splitlines():
        shared_daemon.docker(*line.replace("ROOT", str(shared_daemon.root)).split())
    until = shared_daemon.docker("info", "-f", "{{.SystemTime}}").stdout.strip()
    lines = shared_daemon.docker(
        "events", "--since", since, "--until", until, "--format", "{{json .}}"
    ).stdout
    return [json.loads(line) for line in lines.splitlines()]


@pytest.mark.parametrize("kind_action", EXPECTED, ids=" ".join)
def test_event_has_dockers_attributes(
    told: list[dict[str, object]], kind_action: tuple[str, str]
) -> None:
    """Each one that there is: neither fewer nor more."""
    found = [
        set(event["Actor"]["Attributes"]) - {"x"}  # type: ignore[index]  # JSON
        for event in told
        if (event["Type"], event["Action"]) == kind_action
    ]

    assert found
    assert all(each == EXPECTED[kind_action] for each in found)


def test_nothing_else_is_told(told: list[dict[str, object]]) -> None:
    """An event that clients do not know is noise."""
    assert not {(event["Type"], event["Action"]) for event in told} - EXPECTED.keys()


def test_a_stop_is_told_in_dockers_order(told: list[dict[str, object]]) -> None:
    """Scripts wait for one after another."""
    container = next(event for event in told if event["Action"] == "rename")["Actor"]["ID"]  # type: ignore[index]  # JSON
    actions = [
        str(event["Action"])
        for event in told
        if event["Type"] == "container" and event["Actor"]["ID"] == container  # type: ignore[index]  # JSON
    ]

    assert ["kill", "die", "stop", "destroy"] == actions[-4:]
    assert ["create", "start"] == actions[:2]


def test_the_events_of_a_run_come_in_dockers_order(daemon: Node) -> None:
    """As Docker 20.10 tells `run --rm`: whoever hears of the end finds the networks left."""
    since = daemon.docker("info", "-f", "{{.SystemTime}}").stdout.strip()
    daemon.docker("network", "create", "ev-order")
    daemon.docker("run", "--rm", "--network", "ev-order", "-v", "/anonymous", "busybox", "true")
    until = daemon.docker("info", "-f", "{{.SystemTime}}").stdout.strip()
    daemon.docker("network", "rm", "ev-order")

    shown = ("--since", since, "--until", until, "--format", "{{.Type}} {{.Action}}")
    told = daemon.docker("events", *shown).stdout.splitlines()
    assert {"network connect", "volume mount"} <= set(told[: told.index("container start")])
    assert [
        "container start",
        "container die",
        "network disconnect",
        "volume unmount",
        "volume destroy",
        "container destroy",
    ] == told[told.index("container start") :]
