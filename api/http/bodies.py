"""Bodies: requests decoded into the API's types, answers encoded from them, streams of bytes."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

import msgspec
from fastapi import Depends
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.errors import InvalidArgument, SkepError
from api.http.go_json import go_cleaner
from api.http.hijack import connection_of
from api.http.json_keys import KeyScanner

JSON_LIMIT_BYTES = 4 << 20

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder()
_JSON_TYPE = re.compile(r"\s*application/json\s*(;.*)?", re.IGNORECASE)
_EMPTY_BODY = "invalid JSON: got EOF while reading request body"


class BodyTooLarge(SkepError):
    """A JSON body beyond all sense: 413."""

    http = 413
    grpc = "RESOURCE_EXHAUSTED"

    def __init__(self) -> None:
        super().__init__(f"request body too large: the limit is {JSON_LIMIT_BYTES} bytes")


def body(kind: type[Any], *, optional: bool = False) -> Any:
    """Return the dependency that decodes a request's JSON body into `kind`, a Struct.

    Null means absent, and the case of a field's name does not matter; a key that comes twice in an
    object is refused. Without a body, `kind()` where the body is optional.
    Use:     `Annotated[ContainerCreateRequest, body(ContainerCreateRequest)]`.
    Errors:  InvalidArgument naming the field's path; BodyTooLarge.
    """
    decode = json_decoder(kind)

    async def read(request: Request) -> Any:
        raw = await read_json(request)
        if raw:
            return decode(raw)
        if optional:
            return kind()
        raise InvalidArgument(_EMPTY_BODY)

    return Depends(read)


def json_decoder(kind: type[Any]) -> Callable[[bytes], Any]:
    """Return the function that decodes JSON of requests into `kind`. Errors: InvalidArgument."""

    @cache
    def parts() -> tuple[msgspec.json.Decoder[Any], Callable[[Any], Any], KeyScanner]:
        """Return what decodes; made at the first call: together all kinds take long to make."""
        return msgspec.json.Decoder(kind), go_cleaner(kind), KeyScanner(kind)

    def decode(raw: bytes) -> Any:
        decoder, clean, keys = parts()
        try:
            if _are_plain(keys, raw) and b"null" not in raw:
                return decoder.decode(raw)
            return msgspec.convert(clean(msgspec.json.decode(raw) or {}), kind)
        except RecursionError as error:
            raise InvalidArgument("invalid JSON: exceeded max depth") from error
        except (msgspec.MsgspecError, ValueError) as error:
            raise InvalidArgument(f"invalid JSON: {error}") from error

    return decode


def _are_plain(keys: KeyScanner, raw: bytes) -> bool:
    try:
        return keys.are_plain(raw.decode())
    except json.JSONDecodeError:
        msgspec.json.decode(raw)  # what is no JSON is refused in one decoder's words
        raise


async def read_json(request: Request) -> bytes:
    """Return the body of a request that should be JSON, b"" when it has none.

    Errors:  InvalidArgument for another content type; BodyTooLarge.
    """
    raw = await read_body(request)
    if raw:
        _check_type(request.headers.get("content-type", ""))
    return raw


async def read_body(request: Request) -> bytes:
    """Return the body of a request, b"" when it has none. Errors: BodyTooLarge."""
    if request.headers.get("content-length", "") == "0":
        return b""
    chunks: list[bytes] = []
    size = 0
    if int(request.headers.get("content-length", "0")) > JSON_LIMIT_BYTES:
        raise BodyTooLarge
    with suppress(ClientDisconnect):
        async for chunk in request.stream():
            size += len(chunk)
            if size > JSON_LIMIT_BYTES:
                raise BodyTooLarge
            chunks.append(chunk)
    return b"".join(chunks)


def _check_type(media_type: str) -> None:
    if not _JSON_TYPE.fullmatch(media_type):
        raise InvalidArgument(
            f"unsupported Content-Type header ({media_type[:128]}): must be 'application/json'"
        )


class Whole(Response):
    """A response whose content is known: sent in one piece where the server is ours.

    `lines` are the headers as bytes, each with its end.
    """

    def __init__(self, status: int, lines: bytes, content: bytes) -> None:
        self.status_code = status
        self.background = None
        self.body = content
        self._lines = lines

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:  # type: ignore[override] # made when asked
        """Return the headers as ASGI wants them."""
        pairs = [line.split(b": ", 1) for line in self._lines.split(b"\r\n") if line]
        return [(name, value) for name, value in pairs]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        connection = connection_of(scope)
        if connection is None:
            await super().__call__(scope, receive, send)
        else:
            connection.answer(self.status_code, self._lines, bytes(self.body))


_JSON_LINES = b"content-type: application/json\r\ncontent-length: %d\r\n"


class Answer(Whole):
    """A value of the API's types as JSON."""

    def __init__(self, value: Any, status: int = 200) -> None:
        content = _ENCODER.encode(value) + b"\n"
        super().__init__(status, _JSON_LINES % len(content), content)


class Encoded(Whole):
    """JSON that is encoded already, its line's end included."""

    def __init__(self, content: bytes, status: int = 200) -> None:
        super().__init__(status, _JSON_LINES % len(content), content)


class Empty(Whole):
    """A status without a body."""

    def __init__(self, status: int = 204) -> None:
        has_length = status not in {204, 304}
        super().__init__(status, b"content-length: 0\r\n" if has_length else b"", b"")


class StreamAnswer(Response):
    """Chunks sent as they come, no faster than the client reads.

    Status and headers go out before the first chunk is there. When the client vanishes the
    iterator is cancelled where it waits, and closed. An iterator that raises cuts the connection,
    so that the client sees that the answer is not whole.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        media_type: str = "application/json",
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status_code=status, headers=headers, media_type=media_type)
        del self.headers["content-length"]
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the chunks to the end, or until the client is gone."""
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        connection = connection_of(scope)
        try:
            if connection is None:
                await self._pump(send)
            else:
                await _until_gone(self._pump(send), connection.gone)
        finally:
            await _close(self._chunks)

    async def _pump(self, send: Send) -> None:
        async for chunk in self._chunks:
            if chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """Return what `work` gives; cancel it when the client leaves before.

    For work that is done for this client alone, and waits for others: a registry, say.
    Errors:  ClientDisconnect, which the gate knows; what `work` raises.
    """
    connection = connection_of(request.scope)
    task = asyncio.ensure_future(work)
    if connection is None:
        return await task
    await _until_gone(task, connection.gone)
    if task.cancelled():
        raise ClientDisconnect
    return task.result()


async def _until_gone(work: Awaitable[Any], gone: asyncio.Event) -> None:
    """Run `work` to its end; cancel it, without an error, when the client is gone before."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(gone.wait())
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
    finally:
        watch.cancel()
        task.cancel()
        await asyncio.wait((task,))
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


async def _close(chunks: AsyncIterator[bytes]) -> None:
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()
