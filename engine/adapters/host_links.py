"""The host's interfaces as links and their parents ask for them, and the kernel's refusals."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from api.errors import Internal
from engine.adapters import netlink
from engine.adapters.netlink import NetlinkError, NetlinkSocket

_GONE = {errno.ENODEV, errno.ENOENT}
_MODULES = {"vlan": "8021q"}


class NetworkFailed(Internal):
    """The kernel refused something that a network needs."""

    def __init__(self, what: str, error: OSError) -> None:
        super().__init__(f"failed to {what}: {error.strerror or error}")


class KernelLacks(Internal):
    """The kernel has no such kind of interface."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"the kernel lacks {kind} interfaces: load its module {_MODULES.get(kind, kind)}, "
            "or use the bridge driver"
        )


def exists(name: str) -> bool:
    """Tell whether the thread's network namespace has an interface."""
    try:
        socket.if_nametoindex(name)
    except OSError:
        return False
    return True


def delete(where: NetlinkSocket, name: str) -> None:
    """Delete an interface; fine if gone. Errors: NetworkFailed."""
    with explained(f"delete the interface {name}"):
        try:
            where.send(netlink.delete_link(name))
        except NetlinkError as error:
            if error.errno not in _GONE:
                raise


@contextmanager
def kind_needed(kind: str) -> Iterator[None]:
    """Say so when the kernel does not know a kind of interface. Errors: KernelLacks."""
    try:
        yield
    except NetlinkError as error:
        if error.errno == errno.EOPNOTSUPP:
            raise KernelLacks(kind) from error
        raise


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Translate what the kernel refuses. Errors: NetworkFailed."""
    try:
        yield
    except OSError as error:
        raise NetworkFailed(what, error) from error
