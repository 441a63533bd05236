"""Links of containers into the namespaces of overlay networks."""

from __future__ import annotations

import os
from pathlib import Path

from engine.adapters import netlink, netlink_overlay
from engine.adapters.netlink import NetlinkSocket
from engine.adapters.netns import enter_network
from engine.ports.network import LinkOrder


def plug_into_overlay(path: Path, link: LinkOrder) -> None:
    """Make a pair with one end in the container's namespace at `path`, down, the other in `space`.

    The thread is in the container's namespace, and is there again in the end.
    Errors:  OSError, and nothing is left.
    """
    target = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter_network(Path(link.space))
        try:
            # A socket stays in the namespace where it was opened.
            space = NetlinkSocket()
        finally:
            enter_network(path)
        try:
            _make(space, link, target)
        finally:
            space.close()
    finally:
        os.close(target)


def _make(space: NetlinkSocket, link: LinkOrder, target: int) -> None:
    bridge = space.index_of(link.bridge)
    # What a crash left of an earlier link of this container is in the way of the new one.
    space.send(netlink.delete_link(link.host_name), fine=netlink_overlay.GONE)
    space.send(
        netlink.make_veth(link.host_name, bridge, link.name, link.mac, link.mtu, target),
        *netlink_overlay.make_port(link.host_name, bridge),
    )
    index = space.index_of(link.host_name)
    space.send(netlink_overlay.forward_to_port(index, link.mac))
