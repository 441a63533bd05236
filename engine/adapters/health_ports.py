"""Ports of the host at which load balancers ask whether this node has tasks of a service."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

import structlog

from engine.core.ingress_health import HEAD_LIMIT_BYTES, answer

log = structlog.get_logger(__name__)

_LIMIT_S = 5.0
_AT_ONCE = 64


class HealthServers:
    """Fulfils `HealthPorts`: a server for each port, on all addresses of both families."""

    def __init__(self) -> None:
        self._servers: dict[int, asyncio.Server] = {}
        self._told: dict[int, tuple[str, int]] = {}
        # In the order in which they came.
        self._talking: dict[asyncio.StreamWriter, None] = {}

    async def tell(self, counts: Mapping[int, tuple[str, int]]) -> None:
        """Answer at just these ports with a service's name and its number of tasks here."""
        self._told = dict(counts)
        for port in self._servers.keys() - counts.keys():
            self._servers.pop(port).close()
        for port in counts.keys() - self._servers.keys():
            try:
                self._servers[port] = await asyncio.start_server(
                    partial(self._converse, port), port=port, limit=HEAD_LIMIT_BYTES
                )
            except OSError as error:
                log.warning("network.health_port_taken", port=port, error=error.strerror)

    async def _converse(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one request; who is slow is hung up on, at once if there are too many."""
        if len(self._talking) >= _AT_ONCE:
            # Balancers ask in one packet: who has waited longest is none, or is answered already.
            longest = next(iter(self._talking))
            del self._talking[longest]
            longest.transport.abort()
        self._talking[writer] = None
        try:
            if port in self._told:
                with suppress(OSError, ValueError, EOFError, TimeoutError):
                    async with asyncio.timeout(_LIMIT_S):
                        head = await reader.readuntil(b"\r\n\r\n")
                        writer.write(answer(head, *self._told[port]))
                        await writer.drain()
        except asyncio.LimitOverrunError:
            log.debug("network.health_head_too_long", port=port)
        finally:
            self._talking.pop(writer, None)
            writer.close()
