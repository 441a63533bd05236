"""An application served on a unix socket for a test, and a plain client."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from api.http.app import Api, fixed_headers
from api.http.listeners import Access, UnixAddress, listen
from api.http.server import ApiServer
from api.http.shortcut import Shortcut


@dataclass
class Reply:
    """A response: status, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body decoded."""
        return msgspec.json.decode(self.body)


@dataclass
class Client:
    """Speaks to the socket, one connection per request."""

    path: Path

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a fresh connection."""
        return await asyncio.open_unix_connection(str(self.path), limit=1 << 20)

    async def request(
        self, method: str, target: str, content: bytes = b"", headers: str = ""
    ) -> Reply:
        """Send one request and return what came back."""
        reader, writer = await self.open()
        length = f"Content-Length: {len(content)}\r\n" if content else ""
        head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}{length}"
        writer.write(head.encode() + b"\r\n" + content)
        try:
            async with asyncio.timeout(20):
                return parse_reply(await reader.read(-1))
        finally:
            writer.close()

    async def post_json(self, target: str, content: bytes) -> Reply:
        """Post a JSON body."""
        return await self.request("POST", target, content, "Content-Type: application/json\r\n")


def parse_reply(raw: bytes) -> Reply:
    """Return a whole response, chunks joined."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = join_chunks(body)
    return Reply(int(first.split()[1]), headers, body)


def join_chunks(raw: bytes) -> bytes:
    """Return the payload of a chunked body."""
    joined = b""
    while raw:
        size, _, raw = raw.partition(b"\r\n")
        length = int(size, 16)
        joined += raw[:length]
        raw = raw[length + 2 :]
    return joined


@asynccontextmanager
async def serve(app: Api, path: Path, shortcut: Shortcut | None = None) -> AsyncIterator[Client]:
    """Serve the application while the block runs."""
    server = ApiServer(app, listen([UnixAddress(path)], Access()), fixed_headers("0"), shortcut)
    await server.start()
    try:
        yield Client(path)
    finally:
        await server.stop(0.1)


def shut_write(writer: asyncio.StreamWriter) -> None:
    """End the sending direction alone."""
    held: socket.socket = writer.get_extra_info("socket")
    held.shutdown(socket.SHUT_WR)
