"""Plain requests for the cluster go on as bytes: nothing is lost, mixed up, or taken for whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.adapters.manager_http import ManagerHttp
from agent.adapters.manager_shortcut import ManagerShortcut
from agent.gateway import PLAIN
from api.http.app import Api, fixed_headers
from api.http.listeners import Access, UnixAddress, listen
from api.http.server import ApiServer
from tests.api.served import Reply, parse_reply

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_LARGE = b"x" * (8 << 20)


@dataclass
class Manager:
    """Answers as its test says; `heard` are the requests as they came."""

    heard: list[bytes] = field(default_factory=list)
    answer: Callable[[bytes], bytes] = field(default_factory=lambda: whole)
    answers: bool = True
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests; what is empty or ends in dots is the last answer."""
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            said = b"."
            while said and not said.endswith(b"..."):
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
                request = head + await reader.readexactly(length)
                self.heard.append(request)
                self.asked.set()
                if not self.answers:
                    await reader.readexactly(1)
                await self.go.wait()
                said = self.answer(request)
                writer.write(said)
                await writer.drain()
        self.lost.set()
        writer.close()


def whole(request: bytes) -> bytes:
    """Return an answer that is the request's body."""
    content = request.partition(b"\r\n\r\n")[2]
    return b"HTTP/1.1 201 Created\r\ncontent-length: %d\r\n\r\n%b" % (len(content), content)


def post(content: bytes) -> bytes:
    """Return a plain request."""
    head = b"POST /v1.41/secrets/create HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    return head % len(content) + content


async def read(reader: asyncio.StreamReader) -> Reply:
    """Return the next answer of a connection that is kept."""
    async with asyncio.timeout(20):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        return parse_reply(head + await reader.readexactly(length))


@dataclass
class Bed:
    """A daemon that knows the short way alone, and its manager."""

    manager: Manager
    server: ApiServer
    path: Path

    async def open(self) -> Streams:
        """Return a fresh connection."""
        return await asyncio.open_unix_connection(str(self.path), limit=1 << 24)


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    """Lend them; four connections to the manager are open and free."""
    manager = Manager()
    manager.go.set()
    http = ManagerHttp(tmp_path / "manager.sock")
    listeners = listen([UnixAddress(tmp_path / "api.sock")], Access())
    shortcut = ManagerShortcut(http, lambda: True, PLAIN)
    server = ApiServer(Api(), listeners, fixed_headers("0"), shortcut)
    async with await asyncio.start_unix_server(manager.serve, tmp_path / "manager.sock"):
        for exchange in [await http.connect() for _ in range(4)]:
            http.give_back(exchange)
        await server.start()
        yield Bed(manager, server, tmp_path / "api.sock")
        await server.stop(0.1)
        http.close()


async def test_requests_go_on_as_they_came_and_the_connection_is_kept(bed: Bed) -> None:
    reader, writer = await bed.open()
    for each in (b'{"Name":"a"}', b"", b"x" * 100_000):
        writer.write(post(each))
        reply = await read(reader)
        assert (201, each) == (reply.status, reply.body)

    assert post(b'{"Name":"a"}') == bed.manager.heard[0]
    writer.close()


async def test_a_request_in_pieces_waits_until_it_is_whole(bed: Bed) -> None:
    reader, writer = await bed.open()
    for piece in (b"POST /v1.41/secrets/cre", b"ate HTTP/1.1\r\nContent-Length: 4\r\n\r\na", b"bc"):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
        assert [] == bed.manager.heard
    writer.write(b"d" + post(b"next"))

    assert [b"abcd", b"next"] == [(await read(reader)).body for _ in range(2)]
    writer.close()


async def test_many_at_once_do_not_mix(bed: Bed) -> None:
    async def ask(number: int) -> bool:
        reader, writer = await bed.open()
        for turn in range(10):
            writer.write(post(b"%d-%d" % (number, turn)))
            assert b"%d-%d" % (number, turn) == (await read(reader)).body
        writer.close()
        return True

    assert all(await asyncio.gather(*map(ask, range(4))))


async def test_a_large_answer_waits_for_a_slow_reader(bed: Bed) -> None:
    bed.manager.answer = lambda _: (
        b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b"
        % (
            len(_LARGE),
            _LARGE,
        )
    )
    reader, writer = await asyncio.open_unix_connection(str(bed.path), limit=1 << 16)
    writer.write(post(b""))
    await reader.readuntil(b"\r\n\r\n")

    async with asyncio.timeout(20):
        assert _LARGE == await reader.readexactly(len(_LARGE))
    bed.manager.answer = whole
    writer.write(post(b"after"))
    assert b"after" == (await read(reader)).body
    writer.close()


async def test_a_manager_that_hangs_up_may_have_carried_it_out(bed: Bed) -> None:
    bed.manager.answer = lambda _: b""
    reader, writer = await bed.open()
    writer.write(post(b"x"))

    reply = await read(reader)

    assert 503 == reply.status
    assert "may have been carried out" in reply.json()["message"]
    bed.manager.answer = whole
    writer.write(post(b"y"))
    assert b"y" == (await read(reader)).body
    writer.close()


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n...", b"what..."])
async def test_an_answer_that_ends_early_or_is_none_is_not_taken_for_whole(
    bed: Bed, said: bytes
) -> None:
    bed.manager.answer = lambda _: said
    reader, writer = await bed.open()
    writer.write(post(b"x"))

    async with asyncio.timeout(20):
        found = await reader.read(-1) if said.startswith(b"HTTP") else (await read(reader)).body

    assert found in (said, b"") or b"may have been carried out" in found
    writer.close()


async def test_a_client_that_leaves_is_not_waited_for(bed: Bed) -> None:
    bed.manager.answers = False
    _, writer = await bed.open()
    writer.write(post(b"x"))
    async with asyncio.timeout(20):
        await bed.manager.asked.wait()
        writer.close()
        await bed.manager.lost.wait()


async def test_an_end_of_the_daemon_waits_for_the_answer(bed: Bed) -> None:
    bed.manager.go.clear()
    reader, writer = await bed.open()
    writer.write(post(b"x"))
    async with asyncio.timeout(20):
        await bed.manager.asked.wait()

    stopping = asyncio.create_task(bed.server.stop(20))
    await asyncio.sleep(0)
    bed.manager.go.set()

    assert b"x" == (await read(reader)).body
    assert b"" == await reader.read()
    await stopping
    writer.close()


_LINE = b"POST /v1.41/secrets/create HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("head", "length"),
    [
        (b"GET /v1.41/services HTTP/1.1\r\nHost: x\r\n\r\n", 0),
        (b"GET /nodes?filters=%7B%7D HTTP/1.1\r\nHost: x\r\n\r\n", 0),
        (b"DELETE /v1.41/configs/abc HTTP/1.1\r\n\r\n", 0),
        (_LINE + b"Content-Length: 12\r\n\r\n", 12),
        (_LINE + b"content-length:12 \r\nX-Registry-Auth: abc\r\n\r\n", 12),
        (_LINE + b"Content-Length: 999999\r\n\r\n", None),
        (_LINE + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", None),
        (_LINE + b"Content-Length: 1\r\ncontent-length : 2\r\n\r\n", None),
        (_LINE + b"Content-Length: +1\r\n\r\n", None),
        (_LINE + b"Content-Length: 1,1\r\n\r\n", None),
        (_LINE + b"Transfer-Encoding: chunked\r\n\r\n", None),
        (_LINE + b"Content-Length: 3\r\ntransfer-encoding: identity\r\n\r\n", None),
        (_LINE + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", None),
        (_LINE + b"Connection: close\r\n\r\n", None),
        (_LINE + b"X: a\r\n folded\r\n\r\n", None),
        (_LINE + b"X: a\nContent-Length: 3\r\n\r\n", None),
        (b"GET /v1.41/services/x/logs HTTP/1.1\r\n\r\n", None),
        (b"GET /v1.41/containers/json HTTP/1.1\r\n\r\n", None),
        (b"GET /v1.41/servicesx HTTP/1.1\r\n\r\n", None),
        (b"GET //services HTTP/1.1\r\n\r\n", None),
        (b"GET /v1.41/swarm HTTP/1.1\r\n\r\n", None),
        (b"HEAD /v1.41/services HTTP/1.1\r\n\r\n", None),
        (b"GET /v1.41/services HTTP/1.0\r\n\r\n", None),
    ],
)
def test_only_plain_requests_take_the_short_way(head: bytes, length: int | None) -> None:
    shortcut = ManagerShortcut(ManagerHttp(Path("/nowhere")), lambda: True, PLAIN)

    assert length == shortcut.body_length(head)
