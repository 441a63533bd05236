"""Sending blobs and manifests to a registry.

Source:  OCI distribution specification, "Push".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote, urljoin

import structlog

from api.errors import SkepError
from api.references import Reference
from api.types.registry import AuthConfig
from engine.adapters.registry_requests import Order, RegistryRequests
from engine.core.registry_errors import (
    NoCredentials,
    RegistryBusy,
    RegistryRefused,
    RegistryUnreachable,
)
from engine.ports.registry import Upload

log = structlog.get_logger(__name__)

_BACKOFF_S = (0.2, 1.0, 3.0, 6.0)
_STALL_S = 60
_FINISH_S = 300

Result = TypeVar("Result")


class Uploader:
    """The part of the client that writes."""

    def __init__(self, requests: RegistryRequests) -> None:
        self._requests = requests

    async def blob_size(
        self, reference: Reference, digest: str, auth: AuthConfig | None
    ) -> int | None:
        """Return the bytes of a blob that the repository has, None if it has it not."""
        order = Order("HEAD", f"blobs/{digest}", _scope(reference), {200, 404})
        with _told_plainly():
            async with self._requests.write(reference, order, auth) as response:
                is_there = response.status != HTTPStatus.NOT_FOUND
                return (response.content_length or 0) if is_there else None

    async def mount(
        self, reference: Reference, digest: str, origins: Sequence[str], auth: AuthConfig | None
    ) -> str:
        """Take a blob over from another repository; return which, or ""."""
        for origin in origins:
            scope = f"{_scope(reference)} repository:{origin}:pull"
            path = f"blobs/uploads/?mount={quote(digest)}&from={quote(origin, safe='')}"
            order = Order("POST", path, scope, {201, 202})
            async with self._requests.write(reference, order, auth) as response:
                if response.status == HTTPStatus.CREATED:
                    return origin
                session = _location(response.headers.get("Location"), str(response.url))
            await self._abandon(reference, session, auth)
        return ""

    async def upload(self, reference: Reference, content: Upload, auth: AuthConfig | None) -> None:
        """Send a blob, from its beginning again where the connection breaks."""
        with _told_plainly():
            await _retried(lambda: self._upload(reference, content, auth))

    async def put_manifest(
        self, reference: Reference, media_type: str, document: bytes, auth: AuthConfig | None
    ) -> None:
        """Let a tag name a manifest."""
        order = Order(
            "PUT",
            f"manifests/{reference.tag}",
            _scope(reference),
            {200, 201, 202},
            headers={"Content-Type": media_type},
            content=lambda: document,
        )

        async def put() -> None:
            async with self._requests.write(reference, order, auth):
                pass

        with _told_plainly():
            await _retried(put)

    async def _upload(self, reference: Reference, content: Upload, auth: AuthConfig | None) -> None:
        scope = _scope(reference)
        begin = Order("POST", "blobs/uploads/", scope, {202})
        async with self._requests.write(reference, begin, auth) as response:
            session = _location(response.headers.get("Location"), str(response.url))
        try:
            session = await self._send(reference, session, content, auth)
            digest, _ = content.descriptor()
            mark = "&" if "?" in session else "?"
            end = Order("PUT", f"{session}{mark}digest={quote(digest)}", scope, {201, 204},
                        silence_s=_FINISH_S)  # fmt: skip
            async with self._requests.write(reference, end, auth):
                pass
        except (SkepError, asyncio.CancelledError):
            await self._abandon(reference, session, auth)
            raise

    async def _send(
        self, reference: Reference, session: str, content: Upload, auth: AuthConfig | None
    ) -> str:
        """Send the content; return where the upload goes on. A registry that stalls is given up."""
        try:
            async with asyncio.timeout(_STALL_S) as watch:
                order = Order(
                    "PATCH",
                    session,
                    _scope(reference),
                    {202, 204},
                    headers={"Content-Type": "application/octet-stream"},
                    content=lambda: _watched(content.pieces(), watch),
                    silence_s=None,
                )
                async with self._requests.write(reference, order, auth) as response:
                    return _location(response.headers.get("Location"), session)
        except TimeoutError as error:
            raise RegistryUnreachable(session, "context deadline exceeded") from error

    async def _abandon(self, reference: Reference, session: str, auth: AuthConfig | None) -> None:
        """Let the registry forget an upload; it does so by itself after some days, too."""
        order = Order("DELETE", session, _scope(reference), {200, 202, 204}, silence_s=5)
        try:
            async with self._requests.write(reference, order, auth):
                pass
        except SkepError as error:
            log.debug("push.abandoned_upload_stays", error=error.message)


def _scope(reference: Reference) -> str:
    return f"repository:{reference.path}:pull,push"


def _location(header: str | None, url: str) -> str:
    if not header:
        raise RegistryRefused(f'the registry did not say where to upload to: "{url}"')
    return urljoin(url, header)


async def _watched(pieces: AsyncIterator[bytes], watch: asyncio.Timeout) -> AsyncIterator[bytes]:
    """Yield the pieces; each one that is taken moves the end of patience."""
    loop = asyncio.get_running_loop()
    async for piece in pieces:
        watch.reschedule(loop.time() + _STALL_S)
        yield piece
    watch.reschedule(loop.time() + _FINISH_S)


@contextmanager
def _told_plainly() -> Iterator[None]:
    """Say the lack of credentials as `docker push` shows it: without the address."""
    try:
        yield
    except NoCredentials as error:
        raise RegistryRefused("no basic auth credentials") from error


async def _retried(work: Callable[[], Awaitable[Result]]) -> Result:
    """Do the work until it succeeds, a few times, where another try may help."""
    for wait_s in _BACKOFF_S:
        try:
            return await work()
        except (RegistryUnreachable, RegistryBusy) as error:
            log.info("push.retry", error=error.message)
            await asyncio.sleep(wait_s)
    return await work()
