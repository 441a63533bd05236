"""Containers' resolvers: sockets inside their network namespaces, served by this process.

The sockets listen on a port of their own, and a rule of the namespace leads what is sent to port
53 there: a container may itself serve names on port 53 of all its addresses.
"""

from __future__ import annotations

import asyncio
import os
import socket
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from api.errors import Internal
from engine.adapters.dns_forwarder import Forwarder
from engine.adapters.dns_probe import unanswered
from engine.adapters.netns import enter_network, in_own_thread
from engine.adapters.nftables import run_here
from engine.core.dns import ADDRESS, Forward, refusal
from engine.core.dns_message import REFUSED
from engine.ports.name_server import Ask

log = structlog.get_logger(__name__)

_AT_ONCE = 32
_LONGEST_UDP = 4096
_CONNECTIONS = 64
_IDLE_S = 10.0
_FORWARDED = 256
_FIRST_PORT, _PORTS = 33000, 27000

_TABLE = """
add table ip skep-dns
delete table ip skep-dns
table ip skep-dns {{
    chain output {{
        type nat hook output priority -100
        ip daddr {address} udp dport 53 dnat to {address}:{udp}
        ip daddr {address} tcp dport 53 dnat to {address}:{tcp}
    }}
}}
"""


class NameServerFailed(Internal):
    """The kernel refused what a resolver needs."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"failed to set up the container's DNS: {error.strerror or error}")


@dataclass(slots=True)
class _Resolver:
    datagrams: socket.socket
    stream: socket.socket
    ask: Ask
    outside: Callable[[], Sequence[str]]
    tasks: set[asyncio.Task[None]]
    server: asyncio.Server | None = None


class DnsServers:
    """Fulfils `NameServers` on the running event loop."""

    def __init__(self) -> None:
        self._resolvers: dict[str, _Resolver] = {}
        self._forwarder = Forwarder()

    async def open(
        self, key: str, namespace_path: str, ask: Ask, outside: Callable[[], Sequence[str]]
    ) -> None:
        """Answer in a namespace, in place of an earlier answerer. Errors: Internal."""
        self.close(key)
        made: list[socket.socket] = []
        try:
            await in_own_thread(lambda: _listen(Path(namespace_path), made))
            resolver = _Resolver(made[0], made[1], ask, outside, set())
            resolver.server = await asyncio.start_server(
                lambda reader, writer: self._converse(resolver, reader, writer),
                sock=resolver.stream,
            )
        except OSError as error:
            _close_all(made)
            raise NameServerFailed(error) from error
        except BaseException:
            _close_all(made)
            raise
        self._resolvers[key] = resolver
        loop = asyncio.get_running_loop()
        loop.add_reader(resolver.datagrams, self._receive, resolver, loop)

    def close(self, key: str) -> None:
        """Answer there no more; fine if nobody does."""
        resolver = self._resolvers.pop(key, None)
        if resolver is None:
            return
        asyncio.get_running_loop().remove_reader(resolver.datagrams)
        resolver.datagrams.close()
        if resolver.server is not None:
            resolver.server.close()
        for task in resolver.tasks:
            task.cancel()

    async def unanswered(self, namespace_path: str) -> list[str]:
        """Return over which of UDP and TCP nobody answers there. Errors: Internal."""
        return await in_own_thread(lambda: unanswered(Path(namespace_path)))

    def close_all(self) -> None:
        """Answer nowhere."""
        for key in list(self._resolvers):
            self.close(key)

    def _receive(self, resolver: _Resolver, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(_AT_ONCE):
            try:
                packet, sender = resolver.datagrams.recvfrom(_LONGEST_UDP)
            except OSError:
                # Nothing left, or the complaint about an earlier answer that nobody took.
                return
            reply = resolver.ask(packet, False)  # noqa: FBT003  (a callback's position)
            if isinstance(reply, Forward):
                self._forward(resolver, packet, sender, loop)
            elif reply is not None:
                _send(resolver, reply, sender)

    def _forward(
        self, resolver: _Resolver, packet: bytes, sender: Any, loop: asyncio.AbstractEventLoop
    ) -> None:
        if len(resolver.tasks) >= _FORWARDED:
            _send(resolver, refusal(packet, REFUSED), sender)
            return
        task = loop.create_task(self._relay(resolver, packet, sender))
        resolver.tasks.add(task)
        task.add_done_callback(resolver.tasks.discard)

    async def _relay(self, resolver: _Resolver, packet: bytes, sender: Any) -> None:
        reply = await self._forwarder.ask(packet, resolver.outside(), over_tcp=False)
        _send(resolver, reply, sender)

    async def _converse(
        self, resolver: _Resolver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer the questions of one TCP connection, one after the other."""
        task = asyncio.current_task()
        assert task is not None
        is_one_too_many = len(resolver.tasks) >= _FORWARDED + _CONNECTIONS
        resolver.tasks.add(task)
        try:
            while not is_one_too_many:
                async with asyncio.timeout(_IDLE_S):
                    length = int.from_bytes(await reader.readexactly(2))
                    packet = await reader.readexactly(length)
                reply = resolver.ask(packet, True)  # noqa: FBT003  (a callback's position)
                if isinstance(reply, Forward):
                    reply = await self._forwarder.ask(packet, resolver.outside(), over_tcp=True)
                if reply is None:
                    break
                writer.write(len(reply).to_bytes(2) + reply)
                async with asyncio.timeout(_IDLE_S):
                    await writer.drain()
        except (OSError, EOFError, TimeoutError) as error:
            log.debug("dns.conversation_ended", reason=str(error))
        finally:
            resolver.tasks.discard(task)
            writer.close()


def _send(resolver: _Resolver, reply: bytes, sender: Any) -> None:
    try:
        resolver.datagrams.sendto(reply, sender)
    except OSError as error:
        # The asker, or its whole namespace, is gone, or its buffer full: it asks again.
        log.debug("dns.answer_lost", reason=str(error))


def _listen(namespace: Path, made: list[socket.socket]) -> None:
    enter_network(namespace)
    # The same ports after a restart of the daemon, for the kernel remembers where the
    # containers' open flows were led to.
    first = _FIRST_PORT + zlib.crc32(os.fsencode(namespace.name)) % _PORTS
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        listener = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
        made.append(listener)
        if kind == socket.SOCK_STREAM:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ADDRESS, first))
        except OSError:
            listener.bind((ADDRESS, 0))
    made[1].listen(_CONNECTIONS)
    udp, tcp = (each.getsockname()[1] for each in made)
    run_here(_TABLE.format(address=ADDRESS, udp=udp, tcp=tcp))


def _close_all(sockets: Sequence[socket.socket]) -> None:
    for each in sockets:
        each.close()
