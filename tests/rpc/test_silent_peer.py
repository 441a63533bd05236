"""A peer whose machine died: its connection stands, and nothing comes any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from manager.adapters.tls import ServerTLS
from protos.identity.certificates import Identity, Role
from protos.identity.channels import SERVER_OPTIONS, open_channel
from protos.identity.trust import Trust
from tests.authority import Authority

# Pings of one or two seconds and their answer's two; and a machine that is busy.
_LIMIT_S = 6.5


class Relay:
    """Passes bytes on until it is told to let the connections stand silent."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def freeze(self) -> None:
        """Let nothing through any more."""
        self._is_open.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join one connection with one to the port."""
        there = await asyncio.open_connection("127.0.0.1", self._port)
        for source, target in ((reader, there[1]), (there[0], writer)):
            self._tasks.add(asyncio.create_task(self._pass(source, target)))

    def close(self) -> None:
        """End all connections."""
        for task in self._tasks:
            task.cancel()

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                await self._is_open.wait()
                target.write(data)


class Endless(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic for mypy alone
    """A stream that says hello and goes on; `ended` is set when the server gives it up."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return the one method."""

        async def stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
            try:
                yield b"hello"
                await asyncio.Event().wait()
            finally:
                self.ended.set()

        return grpc.unary_stream_rpc_method_handler(stream)


class Bed:
    """A client's stream from a server, through a relay."""

    def __init__(self, call: Any, relay: Relay, server: Endless) -> None:
        self.call = call
        self.relay = relay
        self.server = server


@pytest_asyncio.fixture
async def bed() -> AsyncIterator[Bed]:
    """Lend a stream on which something came already."""
    authority, endless = Authority(), Endless()
    root = authority.certificate
    shown = authority.issue(Identity("m", Role.MANAGER, "c")).credentials(root)
    async with AsyncExitStack() as stack:
        server = grpc.aio.server(options=SERVER_OPTIONS)
        server.add_generic_rpc_handlers((endless,))
        credentials = ServerTLS(shown, Trust((root,))).credentials()
        relay = Relay(server.add_secure_port("127.0.0.1:0", credentials))
        await server.start()
        stack.push_async_callback(server.stop, None)
        gate = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
        stack.callback(relay.close)
        stack.callback(gate.close)
        port = gate.sockets[0].getsockname()[1]
        channel = await stack.enter_async_context(open_channel(f"127.0.0.1:{port}", shown))
        call = channel.unary_stream("/skep.v1.Test/Stream", None, None)(b"", wait_for_ready=True)
        assert b"hello" == await call.read()
        yield Bed(call, relay, endless)


async def test_managers_notice_that_a_node_is_gone(bed: Bed) -> None:
    """Its tasks run elsewhere long before its heartbeats are missed."""
    bed.relay.freeze()

    async with asyncio.timeout(_LIMIT_S):
        await bed.server.ended.wait()


async def test_nodes_notice_that_a_manager_is_gone(bed: Bed) -> None:
    bed.relay.freeze()

    async with asyncio.timeout(_LIMIT_S):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await bed.call.read()

    assert grpc.StatusCode.UNAVAILABLE is caught.value.code()


async def test_silence_that_is_answered_is_no_death(bed: Bed) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_LIMIT_S):
            await bed.server.ended.wait()

    assert not bed.server.ended.is_set()
