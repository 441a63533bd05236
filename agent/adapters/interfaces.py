"""The machine's interfaces and their addresses, as the kernel has them now."""

from __future__ import annotations

import asyncio
from contextlib import closing
from ipaddress import ip_interface

from agent.core.addresses import Address, Interface
from api.errors import Internal
from engine.adapters import netlink
from engine.adapters.netlink import NetlinkSocket

_UP, _LOOPBACK = 0x1, 0x8


async def list_interfaces() -> list[Interface]:
    """Return the interfaces that are up, loopback left out. Errors: Internal."""
    try:
        return await asyncio.to_thread(_list)
    except OSError as error:
        raise Internal(f"cannot read this machine's addresses: {error.strerror}") from error


def _list() -> list[Interface]:
    with closing(NetlinkSocket()) as connection:
        links = netlink.links(connection)
        found = netlink.addresses(connection)
    addresses: dict[int, list[Address]] = {}
    for index, text in found:
        addresses.setdefault(index, []).append(ip_interface(text).ip)
    return [
        Interface(link.name, tuple(addresses.get(link.index, ())))
        for link in links
        if link.flags & _UP and not link.flags & _LOOPBACK
    ]
