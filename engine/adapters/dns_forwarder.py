"""Questions that go to the resolvers of the host."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Sequence

import structlog

from engine.core.dns import refusal
from engine.core.dns_message import REFUSED, SERVER_FAILURE, is_answer_to, rcode_of, with_id

log = structlog.get_logger(__name__)

_PORT = 53
_SERVERS = 3
_PATIENCE_S = 4.0
_AT_ONCE = 1024
_LONGEST = 65535


class Forwarder:
    """Asks servers in order until one has an answer, from the host's own network.

    Each question has a socket, and by it a port, and a number of its own: none is guessed.
    """

    def __init__(self) -> None:
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def ask(self, packet: bytes, servers: Sequence[str], *, over_tcp: bool) -> bytes:
        """Return the answer of the first server that has one; SERVFAIL when none has."""
        asked = with_id(packet, secrets.randbits(16))
        last = b""
        async with self._gate:
            for server in servers[:_SERVERS]:
                try:
                    async with asyncio.timeout(_PATIENCE_S):
                        reply = await (_by_tcp if over_tcp else _by_udp)(server, asked)
                except (OSError, EOFError, TimeoutError) as error:
                    log.debug("dns.server_silent", server=server, reason=str(error))
                    continue
                last = reply
                if rcode_of(reply) not in {SERVER_FAILURE, REFUSED}:
                    break
        return with_id(last, int.from_bytes(packet[:2])) if last else refusal(packet)


async def _by_udp(server: str, asked: bytes) -> bytes:
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    loop = asyncio.get_running_loop()
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as client:
        client.connect((server, _PORT))
        client.send(asked)
        while True:
            reply = await _next(loop, client)
            if is_answer_to(reply, asked):
                return reply


async def _next(loop: asyncio.AbstractEventLoop, client: socket.socket) -> bytes:
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(client, _note, ready)
    try:
        await ready
    finally:
        loop.remove_reader(client)
    return client.recv(_LONGEST)


def _note(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def _by_tcp(server: str, asked: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(server, _PORT)
    try:
        writer.write(len(asked).to_bytes(2) + asked)
        reply = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
    finally:
        writer.close()
    if not is_answer_to(reply, asked):
        raise EOFError("the answer was to another question")
    return reply
