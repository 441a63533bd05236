"""A guarded gRPC server on the loopback, whose methods answer who called."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
import grpc.aio

from api.cluster_errors import NoSuchNode
from manager.adapters.tls import ServerTLS
from manager.rpc.guard import Guard, caller
from protos.errors import raised_here
from protos.identity.certificates import Identity, Role, to_der
from protos.identity.channels import SERVER_OPTIONS, Credentials, open_channel
from protos.identity.join import join_authority
from protos.identity.tokens import JoinToken, new_join_token
from protos.identity.trust import Trust
from tests.authority import Authority
from tests.fakes.members import FakeMembers

CLUSTER = "cluster1"
MANAGER = Identity("manager1", Role.MANAGER, CLUSTER)
WORKER = Identity("worker1", Role.WORKER, CLUSTER)
METHODS = {
    "/t/All": frozenset(Role),
    "/t/Nodes": frozenset({Role.MANAGER, Role.WORKER}),
    "/t/Managers": frozenset({Role.MANAGER}),
    "/t/Stream": frozenset({Role.MANAGER}),
    "/t/Raise": frozenset({Role.MANAGER}),
}


class _Methods(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in stubs alone
    """The methods of the table, and one that has no row in it."""

    def service(self, handler_call_details: Any) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        async def who(_request: bytes, _context: object) -> bytes:
            return str(caller().role).encode()

        async def thrice(_request: bytes, _context: object) -> AsyncIterator[bytes]:
            for _ in range(3):
                yield caller().node_id.encode()

        async def fail(_request: bytes, _context: object) -> bytes:
            raise NoSuchNode("n1")

        match handler_call_details.method:
            case "/t/Stream":
                return grpc.unary_stream_rpc_method_handler(thrice)
            case "/t/Raise":
                return grpc.unary_unary_rpc_method_handler(fail)
            case "/t/Absent":
                return None
        return grpc.unary_unary_rpc_method_handler(who)


@dataclass
class Door:
    """The server, and all that a test changes of it."""

    root: Authority
    token: JoinToken
    credentials: Credentials
    trust: Trust
    members: FakeMembers
    guard: Guard
    tls: ServerTLS
    address: str = ""
    now: datetime | None = None

    def change(self, trust: Trust, credentials: Credentials | None = None) -> None:
        """Let the server trust, and show, something else from now on."""
        self.credentials = credentials or self.credentials
        self.trust = trust
        self.guard.believe(trust)
        self.tls.update(self.credentials, trust)

    async def call(self, credentials: Credentials, method: str = "/t/All") -> str:
        """Call over a connection of its own; the answer is the caller's role."""
        async with open_channel(self.address, credentials) as channel:
            return await ask(channel, method)


def _same(message: bytes) -> bytes:
    return message


async def ask(channel: grpc.aio.Channel, method: str = "/t/All") -> str:
    """Call over an open channel."""
    with raised_here():
        answer: bytes = await channel.unary_unary(method, _same, _same)(b"", timeout=5)
    return answer.decode()


async def ask_stream(channel: grpc.aio.Channel) -> list[str]:
    """Call the method that answers three times who calls."""
    with raised_here():
        call = channel.unary_stream("/t/Stream", _same, _same)(b"", timeout=5)
        return [each.decode() async for each in call]


@asynccontextmanager
async def opened(root: Authority | None = None) -> AsyncIterator[Door]:
    """Lend a door that is served."""
    root = root or Authority()
    token = new_join_token(to_der(root.certificate))
    credentials = root.issue(MANAGER).credentials(root.certificate)
    trust = Trust((root.certificate,), (join_authority(token),))
    members = FakeMembers()
    guard = Guard(CLUSTER, members, trust, METHODS, lambda: door.now or datetime.now(UTC))
    tls = ServerTLS(credentials, trust)
    door = Door(root, token, credentials, trust, members, guard, tls)
    server = grpc.aio.server(interceptors=[guard], options=SERVER_OPTIONS)
    server.add_generic_rpc_handlers([_Methods()])
    door.address = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', tls.credentials())}"
    await server.start()
    try:
        yield door
    finally:
        await server.stop(None)
