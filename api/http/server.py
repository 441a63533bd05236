"""Serve one application on several listeners, in one loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from functools import partial

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from api.http.listeners import Listener
from api.http.protocol import HijackProtocol
from api.http.shortcut import Shortcut, ShortcutProtocol
from api.http.tls import TlsProtocol

# Clients keep connections for reuse; one that we close at the wrong moment costs them a request.
KEEP_ALIVE_S = 3600
BACKLOG = 1024


class ApiServer:
    """Accepts on the listeners from `start` to `stop`."""

    def __init__(
        self,
        app: ASGIApp,
        listeners: Sequence[Listener],
        headers: list[tuple[bytes, bytes]],
        shortcut: Shortcut | None = None,
    ) -> None:
        """Begin. shortcut: takes requests of clients on this machine before the application."""
        self._shortcut = shortcut
        self._listeners = listeners
        self._servers: list[asyncio.Server] = []
        self._state = ServerState()
        self._state.default_headers = headers
        self._config = Config(
            app=app,
            interface="asgi3",
            http=HijackProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._config.load()

    async def start(self) -> None:
        """Begin to accept on every listener."""
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            is_local = listener.socket.family == socket.AF_UNIX
            protocol = self._local_protocol if is_local else partial(self._protocol, listener.tls)
            server = await loop.create_server(protocol, sock=listener.socket, backlog=BACKLOG)
            self._servers.append(server)

    async def stop(self, grace_s: float = 5.0) -> None:
        """Stop accepting, let requests end within `grace_s`, then cancel them.

        Streams without an end (events, followed logs, attached clients) take all of the grace,
        so callers choose a short one.
        """
        for listener in self._listeners:
            listener.unlink()
        for server in self._servers:
            server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if tasks := list(self._state.tasks):
            await asyncio.wait(tasks, timeout=grace_s)
        if tasks := [task for task in self._state.tasks if not task.done()]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=grace_s)
        for connection in list(self._state.connections):
            connection.transport.close()

    def _local_protocol(self) -> asyncio.Protocol:
        if self._shortcut is None:
            return self._protocol(None)
        return ShortcutProtocol(self._config, self._state, {}, self._shortcut)

    def _protocol(self, tls: ssl.SSLContext | None) -> asyncio.Protocol:
        http = HijackProtocol(config=self._config, server_state=self._state, app_state={})
        return http if tls is None else TlsProtocol(tls, http)
