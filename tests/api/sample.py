"""An application with one route of each kind that the glue serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from starlette.requests import Request

from api.errors import NoSuchContainer, NotModified
from api.http.app import Api
from api.http.bodies import Answer, Empty, StreamAnswer, body
from api.http.hijack import Duplex, Upgraded
from api.http.query import Query
from api.versions import version_of

RAW = "application/vnd.docker.raw-stream"


class Limits(msgspec.Struct, frozen=True):
    """Part of a body."""

    Memory: int = 0


class Wish(msgspec.Struct, frozen=True):
    """A body."""

    Names: list[str] = []
    Limits: Limits = Limits()


class Sample:
    """Routes, and what they saw."""

    def __init__(self) -> None:
        self.app = Api()
        self.closed = asyncio.Event()
        self.gone = asyncio.Event()
        self.resume = asyncio.Event()
        self.received = 0
        self._add_plain()
        self._add_streams()
        self._add_hijacks()

    def _add_plain(self) -> None:
        @self.app.get("/version")
        async def version(request: Request) -> Answer:
            return Answer(version_of(request))

        @self.app.get("/images/{name:path}/json")
        async def image(name: str, query: Query) -> Answer:
            return Answer([name, query.boolean("size"), query.integer("n")])

        @self.app.post("/wish")
        async def wish(wish: Annotated[Wish, body(Wish)]) -> Answer:
            return Answer(wish, status=201)

        @self.app.post("/maybe")
        async def maybe(wish: Annotated[Wish, body(Wish, optional=True)]) -> Answer:
            return Answer(wish)

        @self.app.post("/empty", status_code=204)
        async def empty() -> None: ...

        @self.app.delete("/empty")
        async def delete() -> Empty:
            return Empty()

        @self.app.get("/fails/{how}")
        async def fails(how: str) -> Answer:
            match how:
                case "known":
                    raise NoSuchContainer("x")
                case "unmodified":
                    raise NotModified("")
                case _:
                    raise ZeroDivisionError("broken")

    def _add_streams(self) -> None:
        @self.app.get("/endless")
        async def endless() -> StreamAnswer:
            return StreamAnswer(self._endless())

        @self.app.get("/broken")
        async def broken() -> StreamAnswer:
            return StreamAnswer(self._broken())

        @self.app.post("/upload")
        async def upload(request: Request) -> Answer:
            async for chunk in request.stream():
                self.received += len(chunk)
                if not self.resume.is_set():
                    await self.resume.wait()
            return Answer(self.received)

    async def _endless(self) -> AsyncIterator[bytes]:
        try:
            yield b"first\n"
            await asyncio.Event().wait()
        finally:
            self.closed.set()

    async def _broken(self) -> AsyncIterator[bytes]:
        yield b"first\n"
        raise ZeroDivisionError

    def _add_hijacks(self) -> None:
        @self.app.post("/echo")
        async def echo(wish: Annotated[Wish, body(Wish, optional=True)]) -> Upgraded:
            async def serve(client: Duplex) -> None:
                for name in wish.Names:
                    await client.write(name.encode())
                while data := await client.read(1 << 18):
                    await client.write(data)
                await client.write(b"end")

            return Upgraded(serve, RAW)

        @self.app.post("/idle")
        async def idle() -> Upgraded:
            async def serve(client: Duplex) -> None:
                await client.closed()
                self.gone.set()

            return Upgraded(serve, RAW)
