"""kill -9 of a daemon while containers come to and leave an overlay network: nothing is left over.

One kill for some verbs, at a step in the middle; with SKEP_TEST_EVERY_STEP set one at each step of
all of them, which takes five minutes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.hosts import hosts_on_a_lan
from tests.cluster.lan import run
from tests.cluster.mortal import MortalHost
from tests.cluster.overlay_tables import until_right
from tests.cluster.services import load_busybox
from tests.cluster.swarm import swarm_of
from tests.cluster.test_overlay import ANSWER, SLEEP, asked, network, run_on
from tests.root.node import wait_until

SUBNET = "10.87.5.0/24"
WISH = "10.87.5.77"
ON_NET = ("--network", "crash_net", "--ip", WISH)
VERBS = {
    "run": ("run", "-d", "--name", "late", "--stop-timeout", "0", *ON_NET, *SLEEP),
    "disconnect": ("network", "disconnect", "crash_net", "late"),
    "connect": ("network", "connect", "--ip", WISH, "crash_net", "late"),
    "rm": ("rm", "-f", "late"),
}
# Of 28, 9 and 46 steps.
MIDDLE = {"run": 18, "connect": 5, "rm": 25}
EVERY_STEP = bool(os.environ.get("SKEP_TEST_EVERY_STEP"))
if EVERY_STEP:
    pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[MortalHost, MortalHost]]:
    """Lend a manager with the container peer on the network, and a worker with the container old.

    What the manager remembers of the network, it does not let that be removed.
    """
    with hosts_on_a_lan(2, MortalHost) as hosts:
        manager, worker = hosts
        assert isinstance(manager, MortalHost)
        assert isinstance(worker, MortalHost)
        swarm_of(hosts, 1, heartbeat="5s")
        load_busybox(hosts)
        network(manager, "crash_net", "--attachable", "--subnet", SUBNET)
        run_on(manager, "peer", "--network", "crash_net", *SLEEP)
        run_on(worker, "old", "--network", "crash_net", *ANSWER)
        yield manager, worker
        worker.docker("rm", "-f", "old", "late", check=False)
        manager.docker("rm", "-f", "peer")
        wait_until(
            lambda: manager.docker("network", "rm", "crash_net", check=False).returncode == 0,
            "the network to be free",
        )


@pytest.mark.parametrize("verb", list(VERBS if EVERY_STEP else MIDDLE))
def test_a_daemon_killed_in_the_middle_leaves_all_or_nothing(
    pair: tuple[MortalHost, MortalHost], verb: str
) -> None:
    """Kernels, engine and managers agree after it; who was there before is as it was."""
    for step in range(1, 500) if EVERY_STEP else (MIDDLE[verb],):
        if not killed_at(pair, verb, step):
            assert EVERY_STEP, f"{verb} has fewer steps than {step}"
            break


def killed_at(pair: tuple[MortalHost, MortalHost], verb: str, step: int) -> bool:
    """Kill the worker's daemon at a step of a verb; see that all is well. False if it was over."""
    manager, worker = pair
    prepare(worker, verb)
    before = shown(worker, "old")
    worker.is_to_die_at(step)
    done = worker.docker(*VERBS[verb], check=False)
    if not worker.has_died():
        assert done.returncode == 0, done.stderr
        return False
    worker.start()
    if done.returncode == 0:
        assert is_done(worker, verb), f"{verb} was acknowledged"
    try:
        until_well(manager, worker)
    except AssertionError as error:
        raise AssertionError(f"{verb}, step {step}: {error}") from error
    after = shown(worker, "old")
    assert before is not None
    assert after is not None
    assert before["State"]["Pid"] == after["State"]["Pid"]
    return True


def until_well(manager: MortalHost, worker: MortalHost) -> None:
    """Wait until there is nothing on the worker that should not be, and the tables are right."""
    net_id = str(manager.get("/networks/crash_net")["Id"])
    until_right([manager, worker], net_id)
    try:
        wait_until(lambda: odds(worker, net_id) == [], "what a crash left to go")
    except AssertionError as error:
        raise AssertionError(odds(worker, net_id)) from error
    old, peer = shown(worker, "old"), shown(manager, "peer")
    assert old is not None
    assert peer is not None
    place = Path(peer["NetworkSettings"]["SandboxKey"])
    assert asked(place, addresses(old)["crash_net"]) == old["Id"][:12]


def prepare(worker: MortalHost, verb: str) -> None:
    """Bring the container late to where the verb begins.

    The address is free as soon as the manager has heard that who had it last is gone.
    """
    if verb == "run":
        worker.docker("rm", "-f", "late", check=False)
        return
    late = shown(worker, "late")
    if late is None or not late["State"]["Running"]:

        def runs() -> bool:
            worker.docker("rm", "-f", "late", check=False)
            return worker.docker(*VERBS["run"], check=False).returncode == 0

        wait_until(runs, "the address to be free")
        late = shown(worker, "late")
    assert late is not None
    is_on = "crash_net" in addresses(late)
    if is_on and verb == "connect":
        worker.docker(*VERBS["disconnect"])
    elif not is_on and verb != "connect":
        wait_until(
            lambda: worker.docker(*VERBS["connect"], check=False).returncode == 0,
            "the address to be free",
        )


def is_done(worker: MortalHost, verb: str) -> bool:
    """Tell whether what the verb is for is so."""
    late = shown(worker, "late")
    if late is None or verb == "rm":
        return late is None and verb == "rm"
    return bool(late["State"]["Running"]) and ("crash_net" in addresses(late)) != (
        verb == "disconnect"
    )


def shown(host: MortalHost, name: str) -> dict[str, Any] | None:
    """Return a container as it is shown, None for none."""
    done = host.docker("container", "inspect", name, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return found[0] if found else None


def addresses(container: dict[str, Any]) -> dict[str, str]:
    """Return a container's addresses by network."""
    found = container["NetworkSettings"]["Networks"]
    return {name: each["IPAddress"] for name, each in found.items()}


def odds(host: MortalHost, net_id: str) -> list[str]:
    """Return what there is and should not be on a host, or the other way round."""
    ids = host.docker("ps", "-q", "--no-trunc").stdout.split()
    boxes = [each for each in (shown(host, id_) for id_ in ids) if each is not None]
    on_net = [each for each in boxes if "crash_net" in addresses(each)]
    spaces = {each.name for each in (host.root / "exec" / "overlay").iterdir()}
    outside = host.run("ip", "-o", "link", "show", "master", "docker_gwbridge")
    has = {
        "sandboxes": len(host.leftovers()["netns"]),
        "networks": len(spaces & {net_id}),
        "ports": len(ports(host, net_id)),
        "outside": len(outside.splitlines()),
        "bundles": len(host.leftovers()["bundles"]),
    }
    should = {
        "sandboxes": len(boxes) + 1,
        "networks": 1,
        "ports": len(on_net),
        "outside": len(boxes) + 1,
        "bundles": len(boxes),
    }
    found = [
        f"{name}: {has[name]}, not {should[name]}" for name in has if has[name] != should[name]
    ]
    for box in boxes:
        place = box["NetworkSettings"]["SandboxKey"]
        inside = run("nsenter", f"--net={place}", "ip", "-o", "-4", "addr").splitlines()
        held = {line.split()[3].partition("/")[0] for line in inside}
        if missing := {*addresses(box).values()} - {""} - held:
            found.append(f"{box['Name']} lacks {missing}")
        if box["Name"] == "/late" and WISH in held - {*addresses(box).values()}:
            found.append(f"{box['Name']} still has {WISH}")
    return found


def ports(host: MortalHost, net_id: str) -> list[str]:
    """Return the links of containers in the network's namespace."""
    space = host.root / "exec" / "overlay" / net_id
    if not space.exists():
        return []
    return run("nsenter", f"--net={space}", "ip", "-o", "link", "show", "type", "veth").splitlines()
