"""Parents on the host, which macvlan and ipvlan links hang on: VLANs, dummies, the host's own."""

from __future__ import annotations

import os
from pathlib import Path

from api.errors import InvalidArgument
from engine.adapters import netlink
from engine.adapters.host_links import exists, explained, kind_needed
from engine.adapters.netlink import Message, NetlinkSocket
from engine.core.sandbox import DUMMY_PREFIX
from engine.ports.network import LinkOrder

_LAST_VLAN = 4094


def ensure_parent(host: NetlinkSocket, name: str) -> bool:
    """Make a parent; False when it exists.

    Errors:  NetworkFailed, KernelLacks, InvalidArgument (neither a dummy's name nor a VLAN's).
    """
    if exists(name):
        return False
    with explained(f"make the parent interface {name}"):
        kind, message = _parent(host, name)
        with kind_needed(kind):
            host.send(message)
    return True


def plug_child(host: NetlinkSocket, path: Path, link: LinkOrder) -> None:
    """Make a child of the link's parent inside the namespace at `path`.

    Errors:  OSError, KernelLacks.
    """
    parent = host.index_of(link.parent)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with kind_needed(link.kind):
            host.send(
                netlink.make_child(
                    link.kind, link.mode, parent, link.name, link.mac, link.mtu, descriptor
                )
            )
    finally:
        os.close(descriptor)


def _parent(host: NetlinkSocket, name: str) -> tuple[str, Message]:
    """Return the kind of a parent to be made, and the message that makes it."""
    if name.startswith(DUMMY_PREFIX):
        return "dummy", netlink.make_dummy(name)
    parent, _, number = name.rpartition(".")
    is_vlan = number.isascii() and number.isdigit() and 1 <= int(number) <= _LAST_VLAN
    if not parent or not is_vlan:
        raise InvalidArgument(f"parent interface {name} was not found on the host")
    if not exists(parent):
        raise InvalidArgument(f"parent interface {parent} was not found on the host")
    return "vlan", netlink.make_vlan(name, host.index_of(parent), int(number))
