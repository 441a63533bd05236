"""The short way of plain requests to the manager: their bytes go on as they came.

It uses the connections that the usual way opened and keeps. What is not plain (a body in chunks or
a large one, an upgrade, a stream of logs) or finds no connection free goes the usual way, and so
does every request while this node cannot ask its manager.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import cast

import httptools

from agent.adapters.manager_http import Exchange, ManagerHttp
from agent.ports.manager_api import ManagerGone
from api.http.shortcut import Asker, Relay

_BODY_LIMIT_BYTES = 256 << 10
_LINE = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+:[^\r\n\0]*\r\n"
_NOT_PLAIN = re.compile(
    rb"\r\n(?:transfer-encoding|expect|upgrade|connection|te|trailer):", re.IGNORECASE
)
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,6})[ \t]*(?=\r\n)", re.IGNORECASE)
_ANY_LENGTH = re.compile(rb"\r\ncontent-length", re.IGNORECASE)


class ManagerShortcut:
    """Fulfils `Shortcut`. nouns: the first segments of paths that are the manager's."""

    def __init__(
        self, manager: ManagerHttp, can_ask: Callable[[], bool], nouns: Sequence[str]
    ) -> None:
        self._manager = manager
        self._can_ask = can_ask
        paths = "|".join(nouns).encode()
        self._plain = re.compile(
            rb"(?:GET|POST|DELETE) (?:/v1\.[0-9]{1,3})?/(?:%b)(?:[/?][!-~]*)? HTTP/1\.1\r\n"
            rb"(?:%b)*\r\n" % (paths, _LINE)
        )

    def body_length(self, head: bytes) -> int | None:
        """Return how long the body is of a plain request for the manager."""
        if not self._plain.fullmatch(head) or _NOT_PLAIN.search(head) or b"/logs" in head:
            return None
        named = _ANY_LENGTH.findall(head)
        if not named:
            return 0
        found = _LENGTH.search(head)
        if found is None or len(named) > 1 or int(found[1]) > _BODY_LIMIT_BYTES:
            return None
        return int(found[1])

    def begin(self, request: bytes, asker: Asker) -> Relay | None:
        """Send a request on over a connection that is free."""
        exchange = self._manager.borrow() if self._can_ask() else None
        if exchange is None:
            return None
        relay = _Relay(exchange, self._manager.give_back, asker)
        relay.send(request)
        return relay


class _Relay(asyncio.Protocol):
    """One request and its answer; it has the exchange's connection meanwhile."""

    def __init__(
        self, exchange: Exchange, give_back: Callable[[Exchange], None], asker: Asker
    ) -> None:
        self._exchange = exchange
        self._transport = exchange.transport
        self._give_back = give_back
        self._asker: Asker | None = asker
        self._parser = httptools.HttpResponseParser(self)
        self._is_complete = self._is_kept = False

    def send(self, request: bytes) -> None:
        """Send the request."""
        # uvloop's transports are none of asyncio's classes.
        self._transport.set_protocol(self)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Pass on; the answer's end is the end of this."""
        if self._asker is None:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail()
            return
        self._asker.relay(data)
        if self._is_complete:
            self._end()

    def on_message_complete(self) -> None:
        """Take in that the parser has seen the answer's end."""
        self._is_complete = True
        self._is_kept = self._parser.should_keep_alive()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that the manager is gone."""
        self._exchange.connection_lost(exc)
        self._fail()

    def pause(self) -> None:
        """Bring no more of the answer."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Bring more."""
        if self._asker is not None:
            self._transport.resume_reading()

    def abandon(self) -> None:
        """Cut the connection: who asked is gone."""
        self._asker = None
        self._transport.abort()

    def _end(self) -> None:
        asker, self._asker = self._asker, None
        self._transport.set_protocol(self._exchange)
        self._transport.resume_reading()
        if self._is_kept:
            self._give_back(self._exchange)
        else:
            self._transport.abort()
        cast("Asker", asker).end_relay(is_kept=self._is_kept)

    def _fail(self) -> None:
        asker, self._asker = self._asker, None
        self._transport.abort()
        if asker is not None:
            asker.fail_relay(ManagerGone())
