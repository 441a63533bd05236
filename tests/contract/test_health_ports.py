"""The servers that tell load balancers of a node's tasks, and clients who mean no good."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import pytest
import pytest_asyncio

from engine.adapters.health_ports import HealthServers

_ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    """Lend a port at which a service with two tasks is told of."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    servers = HealthServers()
    await servers.tell({number: ("web", 2)})
    yield number
    await servers.tell({})


async def test_a_crowd_of_silent_clients_keeps_no_balancer_out(port: int) -> None:
    """They are hung up on, those first who came first, and their sockets are closed."""
    before = _open_files()
    async with AsyncExitStack() as stack:
        silent = []
        for _ in range(200):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            writer.write(b"GET /")
            silent.append(reader)

        assert b" 200 OK" in await _asked(port, _ASK)
        for each in silent[:130]:
            assert await _rest(each) == b""
        assert _open_files() - before <= 200 + 64


@pytest.mark.parametrize(
    "sent",
    [b"", b"\0" * 100 + b"\r\n\r\n", os.urandom(5000), b"GET / HTTP/1.1\r\nX: " + b"x" * 5_000_000],
    ids=["nothing", "zeros", "noise", "endless"],
)
async def test_what_is_no_request_gets_no_ok(port: int, sent: bytes) -> None:
    """Nor does a client that goes in the middle hurt the next one."""
    for _ in range(5):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        writer.transport.abort()
    assert b" 200 OK" not in await _asked(port, sent, is_over=True)

    assert b'"localEndpoints": 2' in await _asked(port, _ASK)


async def _asked(port: int, request: bytes, *, is_over: bool = False) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(ConnectionError):
        writer.write(request)
        await writer.drain()
        if is_over:
            writer.write_eof()
    answer = await _rest(reader)
    writer.close()
    return answer


async def _rest(reader: asyncio.StreamReader) -> bytes:
    with suppress(ConnectionError):
        return await asyncio.wait_for(reader.read(), 30)
    return b""


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))
