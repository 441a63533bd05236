"""Tell a client that is gone from one that only ended its sending direction."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable


class HangupWatch:
    """Calls back once when both directions of a connection are shut.

    After a client's end of stream reading tells nothing more, but the kernel does: a unix socket
    hangs up as soon as the client has closed it, a TCP one when it resets the connection. The
    file descriptor goes into an epoll of its own without asking for any event, since a hang-up
    is told always; that epoll becomes readable, which the loop can wait for.
    """

    def __init__(self, transport: asyncio.BaseTransport, call: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._call = call
        self._epoll = select.epoll()
        self._epoll.register(transport.get_extra_info("socket").fileno(), 0)
        self._loop.add_reader(self._epoll.fileno(), self._on_event)

    def _on_event(self) -> None:
        self.close()
        self._call()

    def close(self) -> None:
        """Stop watching; may be called again."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
