"""Nodes of an overlay network: engines' networks, each in a namespace, on one local network."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from msgspec import UNSET

from api.addresses import first_address
from api.types.networks import EndpointIPAMConfig, EndpointSettings
from engine.adapters.netns import enter_network
from engine.core.discovery import Member, OverlayService
from engine.core.overlay import Tunnel
from engine.core.sandbox import mac_of
from engine.networks.close_sandbox import close_sandbox
from engine.networks.env import NetworksEnv
from engine.networks.open_sandbox import open_sandbox
from engine.networks.overlay import OverlayNetwork, put_overlay, set_members, set_services
from engine.networks.restore import restore
from engine.networks.sandbox import SandboxRequest
from engine.settings import Settings
from tests.cluster.lan import Lan, run
from tests.fakes.records import FakeRecords
from tests.root.network_bed import Bed, new_env
from tests.root.node import PATIENCE

T = TypeVar("T")

_IP_MTU_DISCOVER, _PMTUDISC_DO = 10, 2

NET = "net1aaaaaaaaaaaaaaaaaaaaa"


class OverlayNode:
    """One node: a thread with an event loop in the namespace `number` of the network."""

    def __init__(self, lan: Lan, number: int) -> None:
        self.address = lan.address(number)
        self.address6 = lan.address6(number)
        self.place = Path("/run/netns", lan.namespace(number))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._root = Path(tempfile.mkdtemp(prefix="d-overlay-"))
        self.bed: Bed = self.do(self._new_bed())

    @property
    def env(self) -> NetworksEnv:
        """The networks of the node."""
        return self.bed.env

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the node."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(60 * PATIENCE)

    def put(self, **changes: Any) -> None:
        """Tell the node of the network."""
        self.do(put_overlay(self.env, network(self.address, **changes)))

    def start(self, name: str, *addresses: str, net: str = NET) -> None:
        """Open a container's sandbox with these addresses."""
        self.env.overlay.state.placed.add(name)
        self.do(open_sandbox(self.env, _request(name, addresses, net)))

    def stop(self, name: str) -> None:
        """Close it."""
        self.do(close_sandbox(self.env, name))

    def members(
        self, changes: Mapping[str, Member | None], *, net: str = NET, is_complete: bool = False
    ) -> None:
        """Tell the node of members."""
        self.do(set_members(self.env, net, changes, is_complete=is_complete))

    def services(
        self,
        changes: Mapping[str, OverlayService | None],
        *,
        net: str = NET,
        is_complete: bool = False,
    ) -> None:
        """Tell the node of services."""
        self.do(set_services(self.env, net, changes, is_complete=is_complete))

    def restart(self, running: list[str]) -> None:
        """Let the daemon be killed and started again."""
        self.do(self.bed.restart(running))

    def boot(self) -> None:
        """Let the host go down and up: of namespaces the files are left, where their disk is."""
        for file in self.do(self._unplug()):
            Path(file).touch()
        self.restart([])

    def inside(self, name: str, work: Callable[[], T]) -> T:
        """Run work in the network of a container."""
        return in_namespace(Path(self.env.links.namespace_path(name)), work)

    def space(self, *command: str, net: str = NET) -> str:
        """Run a command in the namespace of the overlay network."""
        return run("nsenter", f"--net={self.env.overlay.spaces.path(net)}", *command)

    def host(self, *command: str, check: bool = True) -> str:
        """Run a command in the network of the node itself."""
        return run("nsenter", f"--net={self.place}", *command, check=check)

    def destroy(self) -> None:
        """Take everything away."""
        try:
            self.do(self._destroy())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            shutil.rmtree(self._root, ignore_errors=True)

    async def _new_bed(self) -> Bed:
        settings = Settings(firewall_table="skep", exec_root=self._root)
        records = FakeRecords()
        env = new_env(settings, records, self._root)
        await restore(env, [])
        return Bed(self._root, settings, records, env)

    async def _unplug(self) -> list[str]:
        links, spaces = self.env.links, self.env.overlay.spaces
        boxes, keys = await links.namespaces(), await spaces.keys()
        for box in boxes:
            await links.close_namespace(box, [])
        for key in keys:
            await spaces.close(key)
        return [*map(links.namespace_path, boxes), *map(spaces.path, keys)]

    async def _destroy(self) -> None:
        for box in self.env.store.all_sandboxes():
            await close_sandbox(self.env, box.container_id)
        for key in await self.env.overlay.spaces.keys():
            await self.env.overlay.spaces.close(key)
        await self.bed.destroy()

    def _run(self) -> None:
        enter_network(self.place)
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


@contextmanager
def overlay_nodes(count: int) -> Iterator[list[OverlayNode]]:
    """Lend nodes on a network of their own; in the end nothing of them is left."""
    lan = Lan(secrets.token_hex(3), count)
    with ExitStack() as stack:
        stack.callback(lan.destroy)
        lan.build()
        nodes = []
        for number in range(count):
            node = OverlayNode(lan, number)
            stack.callback(node.destroy)
            nodes.append(node)
        yield nodes


@contextmanager
def two_nodes() -> Iterator[list[OverlayNode]]:
    """Lend two nodes that know the network, with containers a on one and b on the other."""
    with overlay_nodes(2) as nodes:
        for node in nodes:
            node.put()
        nodes[0].start("a", "10.0.7.2")
        nodes[1].start("b", "10.0.7.3")
        yield nodes


def network(
    address: str,
    net: str = NET,
    *subnets: tuple[str, int],
    name: str = "web_net",
    internal: bool = True,
    is_ingress: bool = False,
    options: Mapping[str, str] | None = None,
    mtu: int = 1450,
) -> OverlayNetwork:
    """Return the network as a node is told of it; internal, unless that matters."""
    tunnels = tuple(Tunnel(*each) for each in subnets or (("10.0.7.0/24", 4097),))
    return OverlayNetwork(
        id=net,
        name=name,
        created_ns=1,
        tunnels=tunnels,
        gateways={each.subnet: first_address(each.subnet) for each in tunnels},
        address=address,
        port=4789,
        mtu=mtu,
        internal=internal,
        is_ingress=is_ingress,
        options=options or {},
    )


def introduce(one: OverlayNode, other: OverlayNode) -> None:
    """Tell both nodes of a and b."""
    one.members({"a": member(None, "a", "10.0.7.2"), "b": member(other, "b", "10.0.7.3")})
    other.members({"a": member(one, "a", "10.0.7.2"), "b": member(None, "b", "10.0.7.3")})


def member(node: OverlayNode | None, name: str, *addresses: str) -> Member:
    """Return a member at a node; None is the node that is told."""
    return Member(
        names=(name,),
        addresses=addresses,
        mac=mac_of(addresses[0]),
        node=node.address if node is not None else "",
    )


def in_namespace(path: Path, work: Callable[[], T]) -> T:
    """Run work in a network namespace, in a thread of its own."""
    done: Future[T] = Future()

    def enter() -> None:
        try:
            enter_network(path)
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=enter, daemon=True).start()
    return done.result(30 * PATIENCE)


@contextmanager
def answering(node: OverlayNode, name: str, port: int = 80) -> Iterator[None]:
    """Let a container answer each TCP connection with its name, until the peer hangs up."""
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    listener = node.inside(name, lambda: _listener(family, port))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_converse, args=(connection, name), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def ask(node: OverlayNode, name: str, address: str, port: int = 80, timeout_s: float = 3) -> str:
    """Return who answers at an address, asked from a container. Errors: OSError."""

    def work() -> str:
        with socket.create_connection((address, port), timeout_s) as connection:
            return connection.recv(100).decode()

    return node.inside(name, work)


@contextmanager
def datagrams(node: OverlayNode, name: str, port: int = 7000) -> Iterator[Callable[[float], bytes]]:
    """Lend a function that waits for the next datagram to a container."""

    def bind() -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind(("", port))
        return bound

    with node.inside(name, bind) as bound:

        def heard(timeout_s: float) -> bytes:
            bound.settimeout(timeout_s * PATIENCE)
            return bound.recv(1 << 16)

        yield heard


def send_whole(target: tuple[str, int], payload: bytes) -> None:
    """Send a datagram that must not be cut on its way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DO)
        sender.sendto(payload, target)


def _listener(family: int, port: int) -> socket.socket:
    listener = socket.create_server(("::", port), family=family, dualstack_ipv6=True)
    listener.listen(64)
    return listener


def _converse(connection: socket.socket, name: str) -> None:
    with connection:
        try:
            connection.sendall(name.encode())
            while asked := connection.recv(100):
                connection.sendall(name.encode() + b":" + asked)
        except OSError:
            return


def _request(name: str, addresses: tuple[str, ...], net: str) -> SandboxRequest:
    wishes = EndpointIPAMConfig(
        IPv4Address=next((each for each in addresses if ":" not in each), UNSET),
        IPv6Address=next((each for each in addresses if ":" in each), UNSET),
    )
    return SandboxRequest(
        container_id=name,
        container_name=name,
        hostname=name,
        endpoints={net: EndpointSettings(IPAMConfig=wishes)},
    )
