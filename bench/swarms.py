"""Daemons as swarms of one node each on this machine, ours and Debian's beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench.servers import Reference, Server, Skep

_FIRST_PORT = 23_770


@contextmanager
def swarms(*, alone: bool) -> Iterator[list[Server]]:
    """Lend ours, and the reference if it is installed, unless ours is to be alone."""
    with ExitStack() as stack:
        daemons: list[Skep | Reference] = [Skep()]
        if not alone and Reference.is_installed():
            daemons.append(Reference())
        servers = []
        for number, daemon in enumerate(daemons):
            stack.callback(daemon.stop)
            server = daemon.start()
            address = f"127.0.0.1:{_FIRST_PORT + number}"
            server.docker("swarm", "init", "--listen-addr", address, "--advertise-addr", address)
            stack.callback(server.docker, "swarm", "leave", "--force")
            servers.append(server)
        yield servers
