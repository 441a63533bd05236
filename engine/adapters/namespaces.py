"""Network namespaces that a directory pins: which there are, and a netlink socket inside of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.adapters.host_links import explained
from engine.adapters.netlink import NetlinkSocket
from engine.adapters.netns import enter_network


def pinned(directory: Path) -> Iterator[str]:
    """Yield the names of what is in the directory; nothing where there is no such one."""
    if directory.is_dir():
        yield from os.listdir(directory)


@contextmanager
def inside(path: Path, what: str) -> Iterator[NetlinkSocket]:
    """Move the thread into a namespace and lend a socket there; translate what is refused.

    Errors:  NetworkFailed, which says what was to be done.
    """
    with explained(what):
        enter_network(path)
        socket = NetlinkSocket()
        try:
            yield socket
        finally:
            socket.close()
