"""Sandboxes on the real kernel: reachable, isolated, and without a trace when they are gone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from api.errors import SkepError
from api.types.networks import PortBinding
from engine.core.firewall import Publication
from engine.networks.close_sandbox import close_sandbox
from engine.networks.open_sandbox import open_sandbox
from engine.networks.publish import PublishingFailed
from tests import lane
from tests.root.network_bed import Bed, new_bed, request, run

_PORT = lane.PORT
_SERVER = """
import selectors, socket
wait = selectors.DefaultSelector()
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    server = socket.socket(socket.AF_INET, kind)
    server.bind(("", 80))
    if kind == socket.SOCK_STREAM:
        server.listen()
    wait.register(server, selectors.EVENT_READ)
while True:
    for key, _ in wait.select():
        if key.fileobj.type == socket.SOCK_STREAM:
            client = key.fileobj.accept()[0]
            client.sendall(b"hello")
            client.close()
        else:
            key.fileobj.sendto(b"hello", key.fileobj.recvfrom(100)[1])
"""


@pytest.fixture
async def bed() -> AsyncIterator[Bed]:
    """Lend a bed."""
    made = await new_bed()
    try:
        yield made
    finally:
        await made.destroy()


@contextlib.contextmanager
def serving(namespace: str) -> Iterator[None]:
    """Answer on port 80 inside a namespace, over tcp and udp."""
    enter = ["nsenter", f"--net={namespace}"]
    server = subprocess.Popen([*enter, sys.executable, "-c", _SERVER])
    try:
        yield
    finally:
        server.kill()
        server.wait()


async def ask(address: str, port: str, *, namespace: str = "") -> str:
    """Return what a server says, "" when it cannot be reached; waits for it to come up."""
    inside = ["nsenter", f"--net={namespace}"] if namespace else []
    for _ in range(40):
        done = await asyncio.to_thread(run, *inside, "busybox", "nc", "-w", "1", address, port)
        if done.stdout or "refused" not in done.stderr:
            return done.stdout.strip()
        await asyncio.sleep(0.05)
    return ""


def bindings(host_ip: str = "", key: str = "80/tcp") -> dict[str, list[PortBinding] | None]:
    """Publish port 80."""
    return {key: [PortBinding(host_ip, _PORT)]}


@pytest.mark.parametrize("address", ["127.0.0.1", "gateway"])
async def test_a_published_port_is_reached_over_the_hosts_addresses(bed: Bed, address: str) -> None:
    """Loopback included: route_localnet and the masquerade of 127/8 make it so."""
    box = await open_sandbox(bed.env, request("a1", bindings()))
    target = box.endpoints["bridge"].Gateway if address == "gateway" else address

    with serving(box.netns_path):
        assert await ask(target, _PORT) == "hello"


async def test_a_container_reaches_its_own_and_anothers_published_port(bed: Bed) -> None:
    """Hairpin: out to the host's address and back over the same bridge."""
    server = await open_sandbox(bed.env, request("a1", bindings()))
    client = await open_sandbox(bed.env, request("a2"))
    gateway = server.endpoints["bridge"].Gateway

    with serving(server.netns_path):
        assert await ask(gateway, _PORT, namespace=client.netns_path) == "hello"
        assert await ask(gateway, _PORT, namespace=server.netns_path) == "hello"


async def test_a_port_published_on_loopback_is_not_reached_over_other_addresses(bed: Bed) -> None:
    """Attacks row 17."""
    box = await open_sandbox(bed.env, request("a1", bindings("127.0.0.1")))
    other = await open_sandbox(bed.env, request("a2"))
    gateway = box.endpoints["bridge"].Gateway

    with serving(box.netns_path):
        assert await ask("127.0.0.1", _PORT) == "hello"
        assert await ask(gateway, _PORT, namespace=other.netns_path) == ""


async def test_a_taken_port_is_refused_and_nothing_is_left(bed: Bed) -> None:
    """Docker's words, for ours and for another program's."""
    await open_sandbox(bed.env, request("a1", bindings()))
    before = bed.leftovers()

    with pytest.raises(PublishingFailed, match=f"Bind for 0.0.0.0:{_PORT} failed: port is already"):
        await open_sandbox(bed.env, request("a2", bindings()))

    assert before == bed.leftovers()


async def test_a_port_of_another_program_is_refused(bed: Bed) -> None:
    """The reservation is a bound socket, so the kernel tells."""
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        port = str(foreign.getsockname()[1])
        wanted: dict[str, list[PortBinding] | None] = {"80/tcp": [PortBinding("127.0.0.1", port)]}

        with pytest.raises(PublishingFailed, match="address already in use"):
            await open_sandbox(bed.env, request("a1", wanted))

    assert bed.leftovers() == {"ports": [], "namespaces": [], "published": []}


async def test_closing_leaves_nothing_and_the_port_is_free_at_once(bed: Bed) -> None:
    """A container may be replaced by the next one on the same port without waiting."""
    await open_sandbox(bed.env, request("a1", bindings()))
    closing = asyncio.create_task(close_sandbox(bed.env, "a1"))
    await asyncio.sleep(0)

    await open_sandbox(bed.env, request("a2", bindings()))
    await closing
    await close_sandbox(bed.env, "a2")
    await close_sandbox(bed.env, "a2")

    assert bed.leftovers() == {"ports": [], "namespaces": [], "published": []}


@pytest.mark.parametrize("part", ["links", "firewall", "records"])
async def test_a_failure_in_any_part_leaves_nothing(
    bed: Bed, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps run at once, so each is undone whichever failed."""
    if part == "records":
        bed.records.is_failing = True
    elif part == "links":
        run("ip", "link", "del", bed.settings.bridge)
    else:
        await bed.env.firewall.publish([Publication("tcp", "0.0.0.0", int(_PORT), "10.9.9.9", 1)])

    with pytest.raises(SkepError):
        await open_sandbox(bed.env, request("a1", bindings()))

    assert bed.env.store.all_sandboxes() == []
    left = bed.leftovers()
    assert (left["ports"], left["namespaces"]) == ([], [])


async def test_cancelled_opening_leaves_nothing(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that gives up in the middle: while the kernel makes its part."""
    begun = asyncio.Event()
    make = bed.env.links.open_namespace

    async def tell_and_make(*order: Any) -> None:
        begun.set()
        await make(*order)

    monkeypatch.setattr(bed.env.links, "open_namespace", tell_and_make)
    opening = asyncio.create_task(open_sandbox(bed.env, request("a1", bindings())))
    await begun.wait()

    opening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await opening
        await close_sandbox(bed.env, "a1")

    assert bed.leftovers() == {"ports": [], "namespaces": [], "published": []}


async def test_a_restart_keeps_running_containers_and_clears_the_others(bed: Bed) -> None:
    """After kill -9: the port still works, is still held, and the dead container left nothing."""
    box = await open_sandbox(bed.env, request("a1", bindings()))
    await open_sandbox(bed.env, request("a2"))

    await bed.restart(["a1"])

    assert [each.container_id for each in bed.env.store.all_sandboxes()] == ["a1"]
    assert bed.leftovers()["namespaces"] == ["a1"]
    with serving(box.netns_path):
        assert await ask("127.0.0.1", _PORT) == "hello"
    with pytest.raises(PublishingFailed):
        await open_sandbox(bed.env, request("a3", bindings()))
    fresh = await open_sandbox(bed.env, request("a4"))
    assert fresh.endpoints["bridge"].IPAddress != box.endpoints["bridge"].IPAddress


async def test_a_restart_mends_what_somebody_deleted(bed: Bed) -> None:
    """Bridge and table gone while the daemon was down."""
    box = await open_sandbox(bed.env, request("a1", bindings()))
    run("ip", "link", "del", bed.settings.bridge)
    run("nft", "delete", "table", "inet", bed.settings.firewall_table)

    await bed.restart(["a1"])

    with serving(box.netns_path):
        assert await ask("127.0.0.1", _PORT) == "hello"


async def test_the_namespace_has_no_ipv6_where_the_network_has_none(bed: Bed) -> None:
    """CVE-2024-32473, CVE-2020-13401: no address makes itself, no router is believed."""
    box = await open_sandbox(bed.env, request("a1"))

    shown = run("nsenter", f"--net={box.netns_path}", "ip", "-6", "addr", "show", "eth0")

    assert "inet6" not in shown.stdout


async def test_the_host_cannot_be_reached_on_its_loopback(bed: Bed) -> None:
    """CVE-2020-8558: route_localnet on the bridge does not open the host's 127/8."""
    box = await open_sandbox(bed.env, request("a1"))
    gateway = box.endpoints["bridge"].Gateway
    inside = ["nsenter", f"--net={box.netns_path}"]
    run(*inside, "ip", "addr", "del", "127.0.0.1/8", "dev", "lo")
    run(*inside, "sysctl", "-w", "net.ipv4.conf.eth0.route_localnet=1")
    run(*inside, "ip", "route", "add", "127.0.0.0/8", "via", gateway, "dev", "eth0")

    with socket.create_server(("127.0.0.1", 0)) as secret:
        port = str(secret.getsockname()[1])
        answer = run(*inside, "busybox", "nc", "-w", "1", "127.0.0.1", port)

    assert answer.returncode != 0


async def test_a_udp_port_is_published(bed: Bed) -> None:
    """One map for all protocols."""
    box = await open_sandbox(bed.env, request("a1", bindings(key="80/udp")))

    def exchange() -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            for _ in range(20):
                client.sendto(b"?", ("127.0.0.1", int(_PORT)))
                with contextlib.suppress(TimeoutError, ConnectionError):
                    return client.recv(100)
        return b""

    with serving(box.netns_path):
        assert await asyncio.to_thread(exchange) == b"hello"


@pytest.fixture
def outside(bed: Bed) -> Iterator[str]:
    """Lend a namespace that is a neighbour on the host's network, 10.213.77.2 beside our .1."""
    name = f"{bed.settings.bridge}-out"
    for command in (
        f"netns add {name}",
        f"link add {name} type veth peer name eth0 netns {name}",
        f"addr add 10.213.77.1/24 dev {name}",
        f"link set {name} up",
        f"-n {name} addr add 10.213.77.2/24 dev eth0",
        f"-n {name} link set eth0 up",
        f"-n {name} link set lo up",
        f"-n {name} route add default via 10.213.77.1",
    ):
        done = run("ip", *command.split())
        assert done.returncode == 0, done.stderr
    try:
        yield f"/run/netns/{name}"
    finally:
        run("ip", "netns", "del", name)
        run("ip", "link", "del", name)


async def test_a_neighbour_reaches_what_is_published_and_nothing_else(
    bed: Bed, outside: str
) -> None:
    """Not the container's own address, though a route leads there (as Docker 28)."""
    box = await open_sandbox(bed.env, request("a1", bindings()))
    address = box.endpoints["bridge"].IPAddress

    with serving(box.netns_path):
        assert await ask("10.213.77.1", _PORT, namespace=outside) == "hello"
        assert await ask(address, "80", namespace=outside) == ""


async def test_a_neighbour_cannot_reach_what_is_published_on_loopback(
    bed: Bed, outside: str
) -> None:
    """Attacks row 17: 127/8 sent from the wire is never translated."""
    box = await open_sandbox(bed.env, request("a1", bindings("127.0.0.1")))
    inside = ["nsenter", f"--net={outside}"]
    run(*inside, "ip", "addr", "del", "127.0.0.1/8", "dev", "lo")
    run(*inside, "sysctl", "-w", "net.ipv4.conf.eth0.route_localnet=1")
    run(*inside, "ip", "route", "add", "127.0.0.0/8", "via", "10.213.77.1", "dev", "eth0")

    with serving(box.netns_path):
        assert await ask("127.0.0.1", _PORT) == "hello"
        assert await ask("127.0.0.1", _PORT, namespace=outside) == ""
        assert await ask("10.213.77.1", _PORT, namespace=outside) == ""


async def test_a_container_reaches_the_outside_under_the_hosts_address(
    bed: Bed, outside: str
) -> None:
    """Masquerade: the neighbour knows no route to the container."""
    box = await open_sandbox(bed.env, request("a1"))
    run("ip", "-n", f"{bed.settings.bridge}-out", "route", "del", "default")

    with serving(outside):
        assert await ask("10.213.77.2", "80", namespace=box.netns_path) == "hello"
