"""Overlay networks in the kernel: a namespace each, with a bridge and a tunnel for every subnet."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from engine.adapters import namespaces, netlink, netlink_overlay
from engine.adapters.host_links import delete, explained, kind_needed
from engine.adapters.netlink import Message, NetlinkError, NetlinkSocket
from engine.adapters.netns import (
    enter_network,
    in_own_thread,
    is_pinned,
    unpin_namespace,
    unshare_network,
)
from engine.adapters.sysctl import write_sysctl
from engine.core.overlay import Change, Tables, Tunnel, TunnelPortTaken, TunnelTaken
from engine.core.sandbox import OVERLAY_BRIDGE, mac_from
from engine.ports.overlay import SpaceOrder

T = TypeVar("T")

_AT_ONCE = 4
# As many as fit the socket's buffers, with the kernel's answers.
_BATCH = 128
_NO_ADDRESSES = "1"
_NOT_SHOWN = "iptables", "ip6tables", "arptables"


class KernelOverlays:
    """Fulfils `Overlays`. `directory` holds the namespaces' mounts, one file each, named by key."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._host = NetlinkSocket()
        self._threads = asyncio.Semaphore(_AT_ONCE)

    def path(self, key: str) -> str:
        """Return where the namespace is mounted, whether it exists or not."""
        return str(self._directory / key)

    async def open(self, order: SpaceOrder) -> None:
        """Make the namespace with all in it, or bring one that is there to the order."""
        await self._run(lambda: self._open(order))

    async def close(self, key: str) -> None:
        """Take a namespace and its tunnels away; fine if gone. Errors: Internal."""
        await self._run(lambda: self._close(key))

    async def keys(self) -> set[str]:
        """Return the networks whose namespaces are on disk."""
        return await self._run(lambda: {*namespaces.pinned(self._directory)})

    async def is_there(self, key: str) -> bool:
        """Tell whether there is a namespace, and not its file alone, as after a boot."""
        return await self._run(lambda: is_pinned(self._directory / key))

    async def tunnels(self, key: str) -> set[int]:
        """Return the VXLAN ids of the tunnels that are there. Errors: Internal."""
        return await self._run(lambda: _vnis(self._directory / key))

    async def ports(self, key: str) -> set[str]:
        """Return the names of the containers' links that are on the bridge. Errors: Internal."""
        return await self._run(lambda: _ports(self._directory / key))

    async def tables(self, key: str) -> Tables:
        """Return what the kernel forwards by. Errors: Internal."""
        return await self._run(lambda: _tables(self._directory / key))

    async def change(self, key: str, change: Change) -> None:
        """Bring the kernel from one state to another. Errors: Internal."""
        if change:
            await self._run(lambda: _change(self._directory / key, change))

    def shut(self) -> None:
        """Let go of the socket."""
        self._host.close()

    async def _run(self, work: Callable[[], T]) -> T:
        async with self._threads:
            return await in_own_thread(work)

    def _open(self, order: SpaceOrder) -> None:
        path = self._directory / order.key
        is_new = not is_pinned(path)
        try:
            with explained(f"make the namespace of the overlay network {order.key}"):
                if is_new:
                    path.unlink(missing_ok=True)
                    unshare_network(path)
                else:
                    enter_network(path)
                inside = NetlinkSocket()
                try:
                    self._furnish(path, inside, order)
                finally:
                    inside.close()
        except BaseException:
            if is_new:
                self._close(order.key)
            raise

    def _furnish(self, path: Path, inside: NetlinkSocket, order: SpaceOrder) -> None:
        # No address of our own on bridge and tunnels: they only carry, and answer for others.
        write_sysctl("net/ipv6/conf/default/addr_gen_mode", _NO_ADDRESSES)
        write_sysctl("net/ipv6/conf/default/accept_ra", "0")
        # There are no rules here for frames to be shown to; kernels before 5.3 have no such setting
        # in a namespace, and those without br_netfilter none at all.
        for family in _NOT_SHOWN:
            write_sysctl(f"net/bridge/bridge-nf-call-{family}", "0")
        bridge = _ensure_bridge(inside, order)
        wanted = {each.vni for each in order.tunnels}
        fitting = set()
        for present in netlink_overlay.tunnels(inside):
            is_right = (present.local, present.port) == (order.local, order.port)
            if present.vni in wanted and is_right:
                fitting.add(present.vni)
            else:
                delete(inside, present.name)
        for tunnel in order.tunnels:
            if tunnel.vni not in fitting:
                self._make_tunnel(path, inside, order, tunnel, bridge)

    def _make_tunnel(
        self, path: Path, inside: NetlinkSocket, order: SpaceOrder, tunnel: Tunnel, bridge: int
    ) -> None:
        name = f"vx{tunnel.vni}"
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with explained(f"make the tunnel {tunnel.vni} on UDP port {order.port}"):
                make = netlink_overlay.make_tunnel(
                    name, tunnel.vni, order.local, order.port, order.mtu, descriptor
                )
                with kind_needed("vxlan"):
                    self._send_make(make, path, order, tunnel)
        finally:
            os.close(descriptor)
        try:
            inside.send(*netlink_overlay.make_port(name, bridge))
        except NetlinkError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise TunnelPortTaken(order.port) from error

    def _send_make(self, make: Message, path: Path, order: SpaceOrder, tunnel: Tunnel) -> None:
        """Make a tunnel, in the place of one that a network which is gone left behind.

        An id has one network in the whole cluster: another one of ours that has it is stale.
        Errors:  TunnelTaken.
        """
        try:
            self._host.send(make)
        except NetlinkError as error:
            if error.errno != errno.EEXIST:
                raise
            for key in namespaces.pinned(self._directory):
                if key != order.key:
                    _drop_tunnel(self._directory / key, tunnel.vni, order.port)
            enter_network(path)
            try:
                self._host.send(make)
            except NetlinkError as again:
                if again.errno != errno.EEXIST:
                    raise
                raise TunnelTaken(tunnel.vni, order.port) from again

    def _close(self, key: str) -> None:
        path = self._directory / key
        with explained(f"remove the namespace of the overlay network {key}"):
            try:
                enter_network(path)
            except OSError as error:
                if error.errno not in {
                    *netlink_overlay.GONE,
                    errno.EINVAL,
                }:  # EINVAL: a file, and no mount
                    raise
            else:
                inside = NetlinkSocket()
                try:
                    # The kernel frees a namespace behind us; its VXLANs would be taken till then.
                    for tunnel in netlink_overlay.tunnels(inside):
                        delete(inside, tunnel.name)
                finally:
                    inside.close()
            unpin_namespace(path)


def _drop_tunnel(path: Path, vni: int, port: int) -> None:
    with namespaces.inside(path, "take a stale tunnel away") as inside:
        for tunnel in netlink_overlay.tunnels(inside):
            if (tunnel.vni, tunnel.port) == (vni, port):
                delete(inside, tunnel.name)


def _ensure_bridge(inside: NetlinkSocket, order: SpaceOrder) -> int:
    mac = mac_from(order.tunnels[0].vni.to_bytes(4))
    try:
        inside.send(netlink.make_bridge(OVERLAY_BRIDGE, mac, order.mtu))
    except NetlinkError as error:
        if error.errno != errno.EEXIST:
            raise
    index = inside.index_of(OVERLAY_BRIDGE)
    inside.send(netlink.set_up(1), netlink.set_up(index))
    # A kernel without snooping passes everything anyway.
    inside.send(netlink_overlay.stop_snooping(OVERLAY_BRIDGE), fine={errno.EOPNOTSUPP})
    return index


def _vnis(path: Path) -> set[int]:
    with namespaces.inside(path, "read the tunnels of an overlay network") as inside:
        return {each.vni for each in netlink_overlay.tunnels(inside)}


def _ports(path: Path) -> set[str]:
    with namespaces.inside(path, "read the links of an overlay network") as inside:
        tunnels = {each.index for each in netlink_overlay.tunnels(inside)}
        return {
            each.name for each in netlink.links(inside) if each.master and each.index not in tunnels
        }


def _tables(path: Path) -> Tables:
    with namespaces.inside(path, "read the tables of an overlay network") as inside:
        vnis = {each.index: each.vni for each in netlink_overlay.tunnels(inside)}
        return Tables(
            neighbours=netlink_overlay.by_vni(netlink_overlay.neighbours(inside), vnis),
            forwarding=netlink_overlay.by_vni(netlink_overlay.forwarding(inside), vnis),
        )


def _change(path: Path, change: Change) -> None:
    with namespaces.inside(path, "change the tables of an overlay network") as inside:
        indexes = {each.vni: each.index for each in netlink_overlay.tunnels(inside)}
        lost = [
            netlink_overlay.delete_neighbour(indexes[vni], address)
            for vni, address in change.lost_neighbours
            if vni in indexes
        ]
        for vni, mac in change.lost_forwarding:
            if vni in indexes:
                lost += netlink_overlay.forget_node(indexes[vni], mac)
        _send(inside, lost, fine=netlink_overlay.GONE)
        fresh = [
            message
            for (vni, mac), node in change.forwarding.items()
            if vni in indexes  # its tunnel may have gone to another network meanwhile
            for message in netlink_overlay.forward_to_node(indexes[vni], mac, node)
        ]
        fresh += [
            netlink_overlay.set_neighbour(indexes[vni], address, mac)
            for (vni, address), mac in change.neighbours.items()
            if vni in indexes
        ]
        _send(inside, fresh)


def _send(
    inside: NetlinkSocket, messages: Sequence[Message], fine: frozenset[int] = frozenset()
) -> None:
    for start in range(0, len(messages), _BATCH):
        inside.send(*messages[start : start + _BATCH], fine=fine)
