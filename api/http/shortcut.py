"""Requests that go on to another server as the bytes that they came as, and their answers back.

Whoever hands a request on need not understand it: no task, no scope, no headers as objects. What
a shortcut does not take goes the usual way.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from api.errors import SkepError
from api.http.protocol import HijackProtocol, Stage

_END_OF_HEAD = b"\r\n\r\n"


class Asker(Protocol):
    """The connection that a request came over, as who relays it sees it."""

    def relay(self, data: bytes) -> None:
        """Send bytes of the answer."""
        ...

    def end_relay(self, *, is_kept: bool) -> None:
        """Take in that the answer is whole; the connection is kept for more, or closed."""
        ...

    def fail_relay(self, error: SkepError) -> None:
        """Take in that there will be no answer, or no more of it."""
        ...


class Relay(Protocol):
    """A request on its way."""

    def pause(self) -> None:
        """Bring no more of the answer: its reader is slow."""
        ...

    def resume(self) -> None:
        """Bring more."""
        ...

    def abandon(self) -> None:
        """Forget the request: who asked is gone."""
        ...


class Shortcut(Protocol):
    """Knows which requests may go on as they are."""

    def body_length(self, head: bytes) -> int | None:
        """Return how long the body is of a request that may go on; None for all others."""
        ...

    def begin(self, request: bytes, asker: Asker) -> Relay | None:
        """Send a whole request on; None, and nothing is done, if the way is not free now.

        The asker is not called before this has returned.
        """
        ...


class ShortcutProtocol(HijackProtocol):
    """One connection of a client on this machine; its plain requests take the shortcut."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        shortcut: Shortcut,
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._shortcut = shortcut
        self._relay: Relay | None = None
        self._relayed: asyncio.Future[None] | None = None
        self._has_answer_begun = False
        self._closes_afterwards = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who relays as well."""
        if self._relay is not None:
            relay = self._relay
            self._forget_relay()
            relay.abandon()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Hold the answer back while the client is slow."""
        super().pause_writing()
        if self._relay is not None:
            self._relay.pause()

    def resume_writing(self) -> None:
        """Let it come again."""
        super().resume_writing()
        if self._relay is not None:
            self._relay.resume()

    def shutdown(self) -> None:
        """Close, once the answer under way is whole."""
        if self._relay is None:
            super().shutdown()
        self._closes_afterwards = True

    def relay(self, data: bytes) -> None:
        """Send bytes of the answer."""
        self._has_answer_begun = True
        self.transport.write(data)

    def end_relay(self, *, is_kept: bool) -> None:
        """Go on with what the client sent meanwhile, or close."""
        self._forget_relay()
        if not is_kept or self._closes_afterwards:
            self.transport.close()
        self.on_response_complete()

    def fail_relay(self, error: SkepError) -> None:
        """Say why there is no answer; cut one that has begun, lest it be taken for whole."""
        if self._has_answer_begun:
            self._forget_relay()
            self.transport.abort()
            return
        content = msgspec.json.encode({"message": error.message}) + b"\n"
        lines = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(content)
        self.transport.write(STATUS_LINE[error.http] + self.fixed_lines() + lines + content)
        self.end_relay(is_kept=True)

    def take_head(self, data: bytes) -> bytes:
        """Send the request on if it may go the short way, once it is whole; return what follows."""
        buffered = self.begun + data if self.begun else data
        end = buffered.find(_END_OF_HEAD) + len(_END_OF_HEAD)
        length = self._shortcut.body_length(buffered[:end]) if end >= len(_END_OF_HEAD) else None
        if length is None:
            return super().take_head(data)
        end += length
        if len(buffered) < end:
            self.wait_for_more(buffered)
            return b""
        relay = self._shortcut.begin(buffered[:end], self)
        if relay is None:
            return super().take_head(data)
        self.wait_for_more(b"")
        self._begin_relay(relay)
        return buffered[end:]

    def _begin_relay(self, relay: Relay) -> None:
        self.stage = Stage.AHEAD
        self._relay = relay
        self._has_answer_begun = False
        self._relayed = self.loop.create_future()
        # Who stops the server waits for what is under way.
        self.tasks.add(self._relayed)  # type: ignore[arg-type] # it is only waited for, or cancelled

    def _forget_relay(self) -> None:
        self._relay = None
        if self._relayed is not None:
            self.tasks.discard(self._relayed)
            if not self._relayed.done():
                self._relayed.set_result(None)
            self._relayed = None
