"""Where a manager serves: gRPC for peers and agents, HTTP on its socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import grpc.aio
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.app import fixed_headers
from api.http.listeners import Access, CannotListen, Listener, UnixAddress, listen
from api.http.server import ApiServer
from manager.rpc.ca import Authority
from manager.rpc.control import Control
from manager.rpc.dispatcher import Dispatcher
from manager.rpc.logs import Logs
from manager.rpc.membership import MembershipService
from manager.rpc.overlay import Overlays
from manager.rpc.raft import RaftService
from manager.trust import Standing
from protos.identity.channels import SERVER_OPTIONS
from protos.skep.v1.ca_pb2_grpc import add_CAServicer_to_server
from protos.skep.v1.control_pb2_grpc import add_ControlServicer_to_server
from protos.skep.v1.dispatcher_pb2_grpc import add_DispatcherServicer_to_server
from protos.skep.v1.logs_pb2_grpc import add_LogsServicer_to_server
from protos.skep.v1.membership_pb2_grpc import add_MembershipServicer_to_server
from protos.skep.v1.overlay_pb2_grpc import add_OverlayServicer_to_server
from protos.skep.v1.raft_pb2_grpc import add_RaftServicer_to_server

_SOCKET_MODE = 0o600
_HTTP_GRACE_S = 1.0
_RPC_GRACE_S = 0.5


class Switch:
    """An application that can be exchanged while it is served."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request by the application of now."""
        await self.app(scope, receive, send)


@asynccontextmanager
async def serve_http(app: ASGIApp, path: Path) -> AsyncIterator[None]:
    """Serve the application on a unix socket while the block runs. Errors: CannotListen."""
    server = ApiServer(app, _bind(path), fixed_headers(own_version()))
    await server.start()
    try:
        yield
    finally:
        await server.stop(_HTTP_GRACE_S)


class Services:
    """The services that a manager offers over gRPC."""

    def __init__(
        self,
        raft: RaftService,
        membership: MembershipService,
        control: Control,
        dispatcher: Dispatcher,
        authority: Authority,
        logs: Logs,
        overlays: Overlays,
    ) -> None:
        self._raft = raft
        self._membership = membership
        self._control = control
        self._dispatcher = dispatcher
        self._authority = authority
        self._logs = logs
        self._overlays = overlays

    def add_to(self, server: grpc.aio.Server) -> None:
        """Have the server offer them."""
        add_RaftServicer_to_server(self._raft, server)
        add_MembershipServicer_to_server(self._membership, server)
        add_ControlServicer_to_server(self._control, server)
        add_DispatcherServicer_to_server(self._dispatcher, server)
        add_CAServicer_to_server(self._authority, server)
        add_LogsServicer_to_server(self._logs, server)
        add_OverlayServicer_to_server(self._overlays, server)


@asynccontextmanager
async def serve_grpc(services: Services, address: str, standing: Standing) -> AsyncIterator[None]:
    """Serve peers and agents on host:port while the block runs. Errors: CannotListen."""
    server = grpc.aio.server(interceptors=[standing.guard], options=SERVER_OPTIONS)
    services.add_to(server)
    try:
        port = server.add_secure_port(address, standing.tls.credentials())
    except RuntimeError:
        port = 0
    if not port:
        raise CannotListen(f"cannot listen on {address}: it is in use, or not of this machine")
    await server.start()
    try:
        yield
    finally:
        await server.stop(_RPC_GRACE_S)


def _bind(path: Path) -> list[Listener]:
    listeners = listen([UnixAddress(path)], Access())
    path.chmod(_SOCKET_MODE)
    return listeners


def own_version() -> str:
    """Return the version of this program."""
    try:
        return version("skep")
    except PackageNotFoundError:
        return "unknown"
