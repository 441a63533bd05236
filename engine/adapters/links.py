"""Sandboxes and bridges in the kernel."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Collection, Sequence
from ipaddress import ip_interface
from pathlib import Path
from typing import TypeVar

import structlog

from engine.adapters import namespaces, netlink
from engine.adapters.host_links import delete, exists, explained
from engine.adapters.link_parents import ensure_parent, plug_child
from engine.adapters.netlink import NetlinkError, NetlinkSocket
from engine.adapters.netns import (
    enter_network,
    in_own_thread,
    is_pinned,
    unpin_namespace,
    unshare_network,
)
from engine.adapters.overlay_links import plug_into_overlay
from engine.adapters.sysctl import read_sysctl, write_sysctl
from engine.adapters.user_namespace import make_namespaces
from engine.ports.network import BridgeOrder, LinkOrder, Route, UserNamespace

log = structlog.get_logger(__name__)

T = TypeVar("T")

_GONE = {errno.ENODEV, errno.ENOENT}
_AT_ONCE = 8
_GOES_BY_ITSELF_S = 3.0
_MOST_ROUTES = 64
_IPV6 = Path("/proc/sys/net/ipv6")
_FORWARDS_IPV6 = "net/ipv6/conf/all/forwarding"


class KernelLinks:
    """Fulfils `Links`. `directory` holds the namespaces' mounts, one file each, named by key.

    The user namespaces' are beside it, in `userns`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._users = directory.with_name("userns")
        self._host = NetlinkSocket()
        self._threads = asyncio.Semaphore(_AT_ONCE)

    def namespace_path(self, key: str) -> str:
        """Return where the namespace is mounted, whether it exists or not."""
        return str(self._directory / key)

    def user_namespace_path(self, key: str) -> str:
        """Return where the user namespace is mounted that was made with a namespace, if any."""
        return str(self._users / key)

    async def open_namespace(
        self, key: str, links: Sequence[LinkOrder], owner: UserNamespace | None = None
    ) -> None:
        """Make a namespace with loopback up and these links. Errors: Internal."""
        await self._run(lambda: self._open(key, links, owner))

    async def close_namespace(self, key: str, host_names: Sequence[str]) -> None:
        """Take a namespace and its links away; return when they are gone. Fine if gone."""
        await self._run(lambda: self._unmount(key))
        # With its last holder the namespace takes its links along, many together at little
        # cost; deleting each by hand would stall everybody's netlink for 20 ms.
        for host_name in host_names:
            if not await _goes_by_itself(host_name):
                await self.detach(host_name)

    async def attach(self, key: str, link: LinkOrder) -> None:
        """Plug one more link into an open namespace. Errors: Internal."""
        await self._run(lambda: self._attach(self._directory / key, link))

    async def unplug(self, key: str, link: LinkOrder) -> None:
        """Take one link out of an open namespace; fine if gone. Errors: Internal."""
        if link.kind == "veth" and not link.space:
            await self.detach(link.host_name)
        else:
            await self._run(lambda: _delete_inside(self._directory / key, link.name))

    async def set_default_routes(self, key: str, routes: Sequence[Route]) -> None:
        """Give a namespace these default routes and no others. Errors: Internal."""
        await self._run(lambda: _set_default_routes(self._directory / key, routes))

    async def ensure_parent(self, name: str) -> bool:
        """Make a parent; False when it exists. Errors: Internal, InvalidArgument."""
        return await self._run(lambda: ensure_parent(self._host, name))

    async def detach(self, host_name: str) -> None:
        """Remove a link, both ends; fine if gone. Errors: Internal."""
        await self._run(lambda: delete(self._host, host_name))

    async def ensure_bridge(self, order: BridgeOrder) -> None:
        """Make the bridge, or bring the one of that name to the order. Errors: Internal."""
        await self._run(lambda: self._ensure_bridge(order))

    async def remove_bridge(self, name: str) -> None:
        """Remove a bridge; fine if gone. Errors: Internal."""
        await self._run(lambda: delete(self._host, name))

    def has_ipv6(self) -> bool:
        """Tell whether the kernel has IPv6."""
        return _IPV6.is_dir()

    async def enable_forwarding(self, *, ipv6: bool, key: str = "") -> None:
        """Let the kernel route between interfaces. Errors: Internal."""
        path = self._directory / key if key else None
        await self._run(lambda: _forward(path, ipv6=ipv6))

    async def adopt(self, link: LinkOrder) -> bool:
        """Plug an existing host end into its bridge again; False when there is no such link."""
        return await self._run(lambda: self._adopt(link))

    async def host_subnets(self, besides: Collection[str] = ()) -> list[str]:
        """Return the subnets of the host's interfaces and routes, those `besides` left out."""
        return await self._run(lambda: self._host_subnets(besides))

    async def bridge_addresses(self, name: str) -> list[str]:
        """Return the addresses of an interface in CIDR form; [] when there is none."""
        return await self._run(lambda: self._addresses_of(name))

    async def namespaces(self) -> set[str]:
        """Return the keys of the namespaces that are on disk."""
        return await self._run(
            lambda: {*namespaces.pinned(self._directory), *namespaces.pinned(self._users)}
        )

    async def has_namespace(self, key: str) -> bool:
        """Tell whether there is a namespace, and not its file alone, as after a boot."""
        return await self._run(lambda: is_pinned(self._directory / key))

    async def bridge_ports(self, bridge: str) -> set[str]:
        """Return the names of the bridge's ports; empty when there is no bridge."""
        return await self._run(lambda: self._ports_of(bridge))

    def close(self) -> None:
        """Let go of the socket."""
        self._host.close()

    async def _run(self, work: Callable[[], T]) -> T:
        async with self._threads:
            return await in_own_thread(work)

    def _open(self, key: str, links: Sequence[LinkOrder], owner: UserNamespace | None) -> None:
        path = self._directory / key
        with explained("make the network namespace"):
            if owner is None:
                unshare_network(path)
            else:
                make_namespaces(path, self._users / key, owner)
        made: list[str] = []
        try:
            with explained("set up the container's network"):
                if owner is not None:
                    enter_network(path)
                # Opened after the move, so it speaks to the new namespace.
                inside = NetlinkSocket()
                try:
                    inside.send(netlink.set_up(1))
                    for link in links:
                        made.append(link.host_name)
                        self._plug(path, inside, link)
                finally:
                    inside.close()
        except BaseException:
            for name in made:
                delete(self._host, name)
            self._unmount(key)
            raise

    def _attach(self, path: Path, link: LinkOrder) -> None:
        with explained("connect the container to the network"):
            enter_network(path)
            inside = NetlinkSocket()
            try:
                self._plug(path, inside, link)
            except BaseException:
                delete(inside if link.space else self._host, _name_to_delete(link))
                raise
            finally:
                inside.close()

    def _plug(self, path: Path, inside: NetlinkSocket, link: LinkOrder) -> None:
        """Make the link from the host's side and configure the inner end; the thread is inside."""
        if link.kind == "veth":
            self._plug_pair(path, link)
        else:
            plug_child(self._host, path, link)
        self._configure(inside, link)

    def _plug_pair(self, path: Path, link: LinkOrder) -> None:
        if link.space:
            plug_into_overlay(path, link)
            return
        bridge = self._host.index_of(link.bridge)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            make = netlink.make_veth(
                link.host_name, bridge, link.name, link.mac, link.mtu, descriptor
            )
            # Hairpin: with bridge netfilter on, a container that talks to its own published
            # port has its frames turned round inside the bridge.
            port = netlink.set_port(link.host_name, hairpin=True, isolated=link.is_isolated)
            self._host.send(make, port)
        finally:
            os.close(descriptor)

    def _configure(self, inside: NetlinkSocket, link: LinkOrder) -> None:
        has_ipv6 = any(ip_interface(each).version == 6 for each in link.addresses)
        # Set before the link is up, so that no address makes itself and no router is believed.
        for name, value in (
            ("disable_ipv6", "0" if has_ipv6 else "1"),
            ("accept_ra", "0"),
            ("autoconf", "0"),
        ):
            if name == "disable_ipv6" or has_ipv6:
                write_sysctl(f"net/ipv6/conf/{link.name}/{name}", value)
        for path, value in link.sysctls:
            if not write_sysctl(path, value):
                raise OSError(errno.ENOENT, f"no such setting: {path.replace('/', '.')}")
        index = socket.if_nametoindex(link.name)
        inside.send(
            netlink.set_up(index),
            *(netlink.add_address(index, each) for each in link.addresses),
            *(netlink.add_near_route(index, each) for each in link.near),
            *(netlink.add_default_route(index, each) for each in link.gateways),
        )

    def _unmount(self, key: str) -> None:
        with explained("remove the network namespace"):
            unpin_namespace(self._directory / key)
            unpin_namespace(self._users / key)

    def _ensure_bridge(self, order: BridgeOrder) -> None:
        with explained(f"set up the bridge {order.name}"):
            try:
                self._host.send(netlink.make_bridge(order.name, order.mac, order.mtu))
            except NetlinkError as error:
                if error.errno != errno.EEXIST:
                    raise
            index = self._host.index_of(order.name)
            self._host.send(netlink.set_up(index))
            has_ipv6 = any(ip_interface(each).version == 6 for each in order.addresses)
            write_sysctl(f"net/ipv6/conf/{order.name}/disable_ipv6", "0" if has_ipv6 else "1")
            write_sysctl(f"net/ipv6/conf/{order.name}/accept_ra", "0")
            # What is published under 127.0.0.1 leaves the host with that source address.
            write_sysctl(f"net/ipv4/conf/{order.name}/route_localnet", "1")
            # The host has other addresses, which may be a container's own here: it neither answers
            # for them on the bridge nor asks in their name.
            write_sysctl(f"net/ipv4/conf/{order.name}/arp_ignore", "1")
            write_sysctl(f"net/ipv4/conf/{order.name}/arp_announce", "2")
            self._set_addresses(index, order)

    def _set_addresses(self, index: int, order: BridgeOrder) -> None:
        present = {
            address
            for owner, address in netlink.addresses(self._host)
            if owner == index and not ip_interface(address).is_link_local
        }
        wanted = set(order.addresses)
        if present != wanted:
            self._host.send(
                *(netlink.delete_address(index, each) for each in present - wanted),
                *(netlink.add_address(index, each) for each in wanted - present),
            )

    def _adopt(self, link: LinkOrder) -> bool:
        with explained(f"put {link.host_name} back on {link.bridge}"):
            bridge = self._host.index_of(link.bridge)
            try:
                self._host.send(
                    netlink.set_master(link.host_name, bridge),
                    netlink.set_port(link.host_name, hairpin=True, isolated=link.is_isolated),
                )
            except NetlinkError as error:
                if error.errno not in _GONE:
                    raise
                return False
            return True

    def _host_subnets(self, besides: Collection[str]) -> list[str]:
        with explained("read the host's addresses"):
            names = {each.index: each.name for each in netlink.links(self._host)}
            used = netlink.addresses(self._host) + netlink.routes(self._host)
            found = {
                str(ip_interface(address).network)
                for index, address in used
                if names.get(index) not in besides
            }
            return sorted(found)

    def _addresses_of(self, name: str) -> list[str]:
        with explained("read the host's addresses"):
            if not exists(name):
                return []
            index = socket.if_nametoindex(name)
            return [
                address
                for owner, address in netlink.addresses(self._host)
                if owner == index and not ip_interface(address).is_link_local
            ]

    def _ports_of(self, bridge: str) -> set[str]:
        with explained("read the host's interfaces"):
            everything = netlink.links(self._host)
            index = next((each.index for each in everything if each.name == bridge), None)
            return {each.name for each in everything if index is not None and each.master == index}


def _name_to_delete(link: LinkOrder) -> str:
    return link.name if link.space else link.host_name


def _delete_inside(path: Path, name: str) -> None:
    with namespaces.inside(path, f"delete the interface {name}") as inside:
        delete(inside, name)


def _set_default_routes(path: Path, routes: Sequence[Route]) -> None:
    with namespaces.inside(path, "set the container's default route") as inside:
        for family in (socket.AF_INET, socket.AF_INET6):
            _delete_default_routes(inside, family)
        for route in routes:
            index = socket.if_nametoindex(route.link)
            inside.send(netlink.add_default_route(index, route.gateway))


def _delete_default_routes(inside: NetlinkSocket, family: int) -> None:
    gone = {errno.ESRCH, errno.ENOENT, errno.ENETUNREACH, errno.EAFNOSUPPORT}
    for _ in range(_MOST_ROUTES):
        try:
            inside.send(netlink.delete_default_route(family))
        except NetlinkError as error:
            if error.errno in gone:
                return
            raise


async def _goes_by_itself(host_name: str) -> bool:
    pause_s, waited_s = 0.005, 0.0
    while waited_s < _GOES_BY_ITSELF_S:
        if not exists(host_name):
            return True
        await asyncio.sleep(pause_s)
        waited_s += pause_s
        pause_s = min(pause_s * 1.5, 0.1)
    return False


def _forward(path: Path | None, *, ipv6: bool) -> None:
    with explained("let the kernel forward packets"):
        if path is not None:
            enter_network(path)
        write_sysctl("net/ipv4/ip_forward", "1")
        if ipv6 and read_sysctl(_FORWARDS_IPV6) == "0":
            # A router listens to no routers, unless it is told to: the host would lose its way.
            for interface in os.listdir(_IPV6 / "conf"):
                if read_sysctl(f"net/ipv6/conf/{interface}/accept_ra") == "1":
                    write_sysctl(f"net/ipv6/conf/{interface}/accept_ra", "2")
            write_sysctl(_FORWARDS_IPV6, "1")
