"""Connections into a container, as the kernel lists them.

Source:  Linux, Documentation/networking/proc_net_tcp.rst; net/tcp_states.h.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

_ESTABLISHED, _OPENING, _SENDING, _HALF_CLOSED, _LISTENING = "01", "03", "04", "08", "0A"
# Nobody has accepted it yet.
_NO_OWNER = "0"


class Incoming(Struct, frozen=True):
    """How many wait to be accepted, and how many have been and are open."""

    waiting: int = 0
    accepted: int = 0


def incoming(*tables: str) -> Incoming:
    """Return what the contents of /proc/PID/net/tcp and tcp6 tell; both share their ports."""
    rows = [row for table in tables for row in _rows(table)]
    ports = {port for port, state, _ in rows if state == _LISTENING}
    into = [(state, owner) for port, state, owner in rows if port in ports]
    waiting = sum(
        state == _OPENING or (state in {_ESTABLISHED, _HALF_CLOSED} and owner == _NO_OWNER)
        for state, owner in into
    )
    accepted = sum(
        state == _SENDING or (state == _ESTABLISHED and owner != _NO_OWNER) for state, owner in into
    )
    return Incoming(waiting, accepted)


def _rows(table: str) -> Iterator[tuple[str, str, str]]:
    """Yield port, state and the number of the owner's socket of each line."""
    for line in table.splitlines()[1:]:
        words = line.split()
        yield words[1].rpartition(":")[2], words[3], words[9]
