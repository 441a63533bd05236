"""Overlay networks of five nodes: whole and apart, through faults, and with a user's stack."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.cluster.docker_command import needs_docker_command
from tests.cluster.held_connection import held
from tests.cluster.host import Host
from tests.cluster.hosts import Cluster
from tests.cluster.lan import kill_all, run
from tests.cluster.overlay_tables import entries, until_right
from tests.cluster.precedence import let_containers_go_first
from tests.cluster.services import serve, until_empty, until_running
from tests.cluster.sound import until_sound
from tests.cluster.steady_client import asking
from tests.cluster.swarm import leader_of, until_managers, until_state
from tests.cluster.test_overlay import (
    ANSWER,
    SLEEP,
    addresses,
    answered,
    asked,
    container,
    host_space,
    network,
    run_on,
)
from tests.cluster.test_tasks import container_of, host_of
from tests.root.node import wait_until
from tests.root.overlay_bed import in_namespace

HOSTS = 5
MANAGERS = 3
HEARTBEAT = "3s"

PROBED = (
    "--health-cmd", "wget -q -O /dev/null http://127.0.0.1/", "--health-interval", "5m",
    "--health-start-interval", "100ms", "--health-start-period", "30s",
)  # fmt: skip


class Member(NamedTuple):
    """A container on a network: where its own network is, its addresses, and what it answers."""

    place: Path
    addresses: tuple[str, ...]
    name: str


def test_networks_are_whole_and_apart(swarm: Cluster) -> None:
    """From everywhere to everywhere, with both families; from one network nothing into another."""
    manager = swarm[0]
    network(manager, "plain_net", "--attachable", "-o", "com.docker.network.driver.mtu=1300")
    network(manager, "dual_net", "--ipv6", "--internal")
    for name in ("plain", "dual"):
        serve(manager, name, "--mode", "global", "--network", f"{name}_net", *ANSWER)
    plain = tasks_of(swarm, "plain", HOSTS)
    dual = tasks_of(swarm, "dual", HOSTS)
    for host in swarm[2:]:
        run_on(host, "alone", "--network", "plain_net", *ANSWER)
        plain.append(member(container(host, "alone"), "plain_net"))

    for members in (plain, dual):
        wait_until(lambda at=members: misses(at, at, 5) == [], "all to be reached")  # type: ignore[misc] # bound
    assert {1, 2} == {len(each.addresses) for each in (*plain, *dual)}
    assert [] == hits(plain, dual) + hits(dual, plain)
    assert addresses(plain[0].place, "dual") == addresses(dual[0].place, "alone") == []
    assert "mtu 1300" in run("nsenter", f"--net={plain[0].place}", "ip", "link", "show", "eth0")
    until_sound(swarm)
    for host in swarm[2:]:
        host.docker("rm", "-f", "alone")
    clear(swarm, "plain", "dual")


def tasks_of(swarm: Cluster, service: str, count: int) -> list[Member]:
    """Return the tasks of a service of a network of that name, once there are so many."""
    tasks = until_running(swarm[0], service, count)
    return [member(container_of(swarm, each), f"{service}_net") for each in tasks]


def member(shown: dict[str, Any], network_name: str) -> Member:
    """Return a container as a member of a network."""
    settings = shown["NetworkSettings"]
    endpoint = settings["Networks"][network_name]
    own = endpoint["IPAddress"], endpoint["GlobalIPv6Address"]
    return Member(
        Path(settings["SandboxKey"]), tuple(each for each in own if each), shown["Id"][:12]
    )


def misses(sources: list[Member], targets: list[Member], limit_s: float) -> list[str]:
    """Return who is not reached from where, each asked by each."""
    pairs = [
        (source, target, address)
        for source in sources
        for target in targets
        for address in target.addresses
    ]
    with ThreadPoolExecutor(16) as pool:
        heard = pool.map(lambda pair: heard_at(pair[0].place, pair[2], limit_s), pairs)
        return [
            f"{source.name} -> {address}"
            for (source, target, address), answer in zip(pairs, heard, strict=True)
            if answer != target.name
        ]


def hits(sources: list[Member], targets: list[Member]) -> list[str]:
    """Return who is reached from where, though on other networks; one of the sources asks each."""
    return [
        f"{source.name} -> {address}"
        for source, target in zip(sources, targets, strict=False)
        for address in target.addresses
        if heard_at(source.place, address, 0.2)
    ]


def heard_at(place: Path, address: str, limit_s: float) -> str:
    """Return what is answered at an address within the limit, "" for nothing."""

    def ask() -> str:
        with socket.create_connection((address, 80), limit_s) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.makefile().read().splitlines()[-1]

    try:
        return in_namespace(place, ask)
    except (OSError, IndexError):
        return ""


def clear(swarm: Cluster, *names: str) -> None:
    """Remove services with networks of theirs, and see that nothing of these is left anywhere."""
    manager = swarm[0]
    manager.docker("service", "rm", *names)
    until_empty(swarm)
    manager.docker("network", "rm", *(f"{name}_net" for name in names))
    for host in swarm:
        wait_until(
            lambda each=host: left(each) == [1, 1, 1],  # type: ignore[misc] # bound
            f"no more than the ingress network on {host.hostname}",
        )


def left(host: Host) -> list[int]:
    """Return how many networks, sandboxes, and links to the outside a host has."""
    links = host.run("ip", "-o", "link", "show", "type", "veth").splitlines()
    outside = [each for each in links if "docker_gwbridge" in each]
    spaces = [*(host.root / "exec" / "overlay").iterdir()]
    return [len(spaces), len(host.leftovers()["netns"]), len(outside)]


@needs_docker_command(25)  # --health-start-interval
def test_tables_are_right_after_every_fault_and_what_works_goes_on(swarm: Cluster) -> None:
    """Nodes parted from one another, a leader killed, a node cut off: nothing stays of who went."""
    manager, far, cut = swarm[0], swarm[3], swarm[4]
    net = str(network(manager, "api_net")["Id"])
    on_net = ("--network", "api_net")
    serve(manager, "box", "--mode", "global", *on_net, *SLEEP)
    serve(manager, "api", "--replicas", "4", *on_net, "-p", "8080:80", *PROBED, *ANSWER)
    until_running(manager, "api", 4)
    boxes = {
        host_of(swarm, each).number: member(container_of(swarm, each), "api_net")
        for each in until_running(manager, "box", HOSTS)
    }
    until_right(swarm, net)
    lan = manager.network

    with held(boxes[3].place, boxes[4].place, boxes[4].addresses[0]) as connection:
        connection.go_on()
        lan.cut(3, to=[4])
        lan.cut(4, to=[3])
        manager.docker("service", "scale", "-d", "api=2")
        until_running(manager, "api", 2)
        lan.heal()
        connection.go_on()
    until_right(swarm, net)

    leader = leader_of(swarm[:MANAGERS])
    other = next(each for each in swarm[:MANAGERS] if each is not leader)
    (virtual,) = addresses(boxes[3].place, "api")
    mesh = host_space(cut), far.address, 8080
    let_containers_go_first(swarm)
    with asking(boxes[3].place, virtual, 80, 30) as inside, asking(*mesh, 30) as outside:
        leader.kill_manager()
        wait_until(lambda: is_scaled(other, "api=5"), "the next leader", 30)
        until_running(other, "api", 5)
    assert inside.lost == outside.lost == []
    until_managers(other, MANAGERS)
    until_right(swarm, net)

    lan.part(4)
    until_state(other, cut, "Down")
    until_running(other, "api", 5)
    other.docker("service", "scale", "-d", "api=3")
    until_running(other, "api", 3)
    lan.heal()
    until_state(other, cut, "Ready")
    until_running(other, "box", HOSTS)
    until_right(swarm, net)
    until_sound(swarm)
    manager.docker("service", "rm", "box")
    clear(swarm, "api")


def is_scaled(manager: Host, wanted: str) -> bool:
    """Tell whether a service could be scaled."""
    return manager.docker("service", "scale", "-d", wanted, check=False).returncode == 0


def until_all(manager: Host, counts: dict[str, int]) -> None:
    """Wait until all services have so many tasks."""
    for name, count in counts.items():
        until_running(manager, name, count)


# A page of web asks api, which asks db. The static wget of busybox finds no names.
PAGE = """#!/bin/sh
for ip in $(nslookup -type=a {name}); do :; done
echo
echo {own} $(wget -q -O - http://$ip/{path})
"""
STACK = """
version: "3.8"
x-server: &server
  image: busybox
  stop_grace_period: 1s
  command: ["sh", "-c", "echo rows > /w/index.html && exec httpd -f -p 80 -h /w"]
  healthcheck: {test: "wget -q -O /dev/null http://127.0.0.1/", interval: 1s, retries: 20}
services:
  web:
    <<: *server
    configs: [{source: web, target: /w/cgi-bin/page, mode: 0555}]
    ports: ["8080:80"]
    deploy: {replicas: 3, restart_policy: {delay: 0s}}
  api:
    <<: *server
    configs: [{source: api, target: /w/cgi-bin/page, mode: 0555}]
    deploy: {replicas: 5, restart_policy: {delay: 0s}}
  db:
    <<: *server
    configs: [{source: api, target: /w/cgi-bin/page, mode: 0555}]
    deploy: {placement: {constraints: ["node.hostname==host0"]}}
configs:
  web: {file: ./web}
  api: {file: ./api}
"""
GOOD = "web api rows"
# What a request may take that is under way when its node dies.
UNDER_WAY_S = 6.0


class Reader(threading.Thread):
    """Asks one node for the page again and again; `lost` are the times of those that failed."""

    def __init__(self, client: Path, host: Host) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._host = host
        self._is_over = threading.Event()
        self.lost: list[float] = []
        self.asked = 0

    def run(self) -> None:
        """Ask until it is over."""
        while not self._is_over.wait(0.25):
            began_s = time.monotonic()
            self.asked += 1
            if page(self._client, self._host) != GOOD:
                self.lost.append(began_s)

    def end(self) -> None:
        """Ask no more."""
        self._is_over.set()
        self.join(30)


def page(client: Path, host: Host) -> str:
    """Return the page of the stack by the port of a host, "" for none."""
    try:
        return asked(client, host.address, 8080, "/cgi-bin/page")
    except (OSError, IndexError):
        return ""


@contextmanager
def reading(client: Path, hosts: Cluster) -> Iterator[dict[int, Reader]]:
    """Read the page by all of these hosts, all the while."""
    with ExitStack() as stack:
        readers = {host.number: Reader(client, host) for host in hosts}
        for reader in readers.values():
            reader.start()
            stack.callback(reader.end)
        yield readers


def test_a_stack_is_served_by_every_node_while_nodes_are_drained_and_die(
    swarm: Cluster, tmp_path: Path
) -> None:
    """Only what goes to or through the dead node fails, until its death is known."""
    manager, drained, dead = swarm[0], swarm[3], swarm[4]
    (tmp_path / "stack.yml").write_text(STACK)
    (tmp_path / "web").write_text(PAGE.format(name="api", own="web", path="cgi-bin/page"))
    (tmp_path / "api").write_text(PAGE.format(name="db", own="api", path=""))
    manager.docker("stack", "deploy", "-c", str(tmp_path / "stack.yml"), "shop")
    counts = {"shop_web": 3, "shop_api": 5, "shop_db": 1}
    until_all(manager, counts)
    client = host_space(manager)
    for host in swarm:
        wait_until(lambda at=host: page(client, at) == GOOD, f"the page by {host.hostname}")  # type: ignore[misc] # bound

    with reading(client, swarm) as readers:
        manager.docker("node", "update", "--availability", "drain", drained.hostname)
        wait_until(lambda: not drained.docker("ps", "-q").stdout, "the node to be drained")
        until_all(manager, counts)
        died_s = time.monotonic()
        dead.crash()
        kill_all(dead.network.processes(dead.number))
        dead.network.unplug(dead.number)
        until_state(manager, dead, "Down")
        until_all(manager, counts)
        known_s = time.monotonic()
        before = {number: reader.asked for number, reader in readers.items()}
        wait_until(
            lambda: all(readers[each.number].asked > before[each.number] + 4 for each in swarm[:4]),
            "more pages",
        )

    for host in swarm[:4]:
        lost = readers[host.number].lost
        assert all(died_s - UNDER_WAY_S < each < known_s for each in lost), (host.number, lost)
        assert page(client, host) == GOOD
    until_sound(swarm[:4])
    assert not answered(client, dead.address, 8080)
    manager.docker("node", "rm", "-f", dead.hostname)
    ingress = str(manager.get("/networks/ingress")["Id"])
    wait_until(
        lambda: dead.address not in (entries(manager, ingress) or {}).values(),
        "the dead node to be forgotten",
    )
    drained.docker("swarm", "leave", "--force")
    wait_until(lambda: left(drained) == [0, 0, 0], "nothing to be left of the swarm's networks")
    assert [f"table inet skep-{drained.name}"] == drained.run("nft", "list", "tables").splitlines()
