"""The registry over HTTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import aiohttp
import msgspec
import structlog

from api.errors import InvalidArgument
from api.references import DEFAULT_DOMAIN, Reference, parse_normalized
from api.types.registry import AuthConfig
from engine.adapters.registry_download import BlobFile
from engine.adapters.registry_requests import RegistryRequests, read_limited, translated
from engine.adapters.registry_upload import Uploader
from engine.core.auth import basic
from engine.core.digest import algorithm_of, digest_of
from engine.core.manifest import MAX_MANIFEST_BYTES, Descriptor
from engine.core.media_types import ACCEPTED_MANIFESTS, bare_type
from engine.core.registry_endpoints import Endpoint
from engine.core.registry_errors import (
    LoginFailed,
    RegistryBusy,
    RegistryRefused,
    RegistryUnreachable,
)
from engine.core.registry_search import NoSearch, SearchResult, read_results
from engine.ports.registry import FetchedManifest
from engine.settings import LiveSettings

log = structlog.get_logger(__name__)

_TAGS_LIMIT = 8 << 20
_SEARCH_LIMIT = 1 << 20
_BACKOFF_S = (0.2, 1.0, 3.0, 6.0)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


class _TagList(msgspec.Struct):
    tags: list[str] | None = None


class HttpRegistry:
    """Fulfils the port; made in the running loop."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._requests = RegistryRequests(settings)
        uploader = Uploader(self._requests)
        self.blob_size = uploader.blob_size
        self.mount = uploader.mount
        self.upload = uploader.upload
        self.put_manifest = uploader.put_manifest

    async def manifest(self, reference: Reference, auth: AuthConfig | None) -> FetchedManifest:
        """Fulfil `Registry.manifest`."""
        wanted = reference.digest or reference.tag
        headers = {"Accept": ", ".join(ACCEPTED_MANIFESTS)}
        async with self._requests.get(reference, f"manifests/{wanted}", auth, headers) as response:
            document = await read_limited(response, MAX_MANIFEST_BYTES, "image manifest")
            media_type = bare_type(response.headers.get("Content-Type", ""))
        digest = digest_of(document, algorithm_of(reference.digest))
        if reference.digest and digest != reference.digest:
            raise InvalidArgument(f"manifest verification failed for digest {reference.digest}")
        return FetchedManifest(media_type, digest, document)

    async def read_blob(
        self, reference: Reference, blob: Descriptor, auth: AuthConfig | None
    ) -> bytes:
        """Fulfil `Registry.read_blob`."""
        async with self._requests.get(reference, f"blobs/{blob.digest}", auth, {}) as response:
            return await read_limited(response, blob.size, f"blob {blob.digest}")

    async def tags(self, reference: Reference, auth: AuthConfig | None) -> list[str]:
        """Fulfil `Registry.tags`."""
        async with self._requests.get(reference, "tags/list", auth, {}) as response:
            document = await read_limited(response, _TAGS_LIMIT, "list of tags")
        try:
            return msgspec.json.decode(document, type=_TagList).tags or []
        except (msgspec.MsgspecError, RecursionError) as error:
            raise RegistryRefused(f"malformed list of tags: {error}") from error

    async def download(
        self,
        reference: Reference,
        blob: Descriptor,
        auth: AuthConfig | None,
        path: Path,
        progress: Callable[[int], None],
    ) -> None:
        """Fulfil `Registry.download`."""
        async with BlobFile.open(path, blob.size, progress) as file:
            attempt = 0
            while not file.is_whole:
                try:
                    await self._download_rest(reference, blob, auth, file)
                except (RegistryUnreachable, RegistryBusy) as error:
                    attempt += 1
                    if attempt >= self._settings.current.max_download_attempts:
                        raise
                    log.info("pull.retry", digest=blob.digest, attempt=attempt, error=str(error))
                    await asyncio.sleep(_BACKOFF_S[min(attempt, len(_BACKOFF_S)) - 1])

    async def _download_rest(
        self, reference: Reference, blob: Descriptor, auth: AuthConfig | None, file: BlobFile
    ) -> None:
        offset = file.size
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        async with self._requests.get(reference, f"blobs/{blob.digest}", auth, headers) as response:
            if offset and not _continues(response, offset):
                await file.restart()
            await file.take(response.content.iter_any())
            if not file.is_whole:
                raise RegistryUnreachable(str(response.url), "unexpected EOF")

    async def search(self, domain: str, query: str, auth: AuthConfig | None) -> list[SearchResult]:
        """Fulfil `Registry.search`."""
        failure: RegistryUnreachable | None = None
        for endpoint in self._requests.search_endpoints(domain):
            url = f"{endpoint.url}/v1/search?{query}"
            headers = {"Authorization": basic(auth)} if auth and auth.username else {}
            try:
                async with await self._requests.send(endpoint, url, headers) as response:
                    with translated(url):
                        document = await read_limited(response, _SEARCH_LIMIT, "list of images")
            except RegistryUnreachable as error:
                failure = error
                continue
            if response.status != HTTPStatus.OK:
                raise NoSearch(domain, response.status)
            try:
                return read_results(document)
            except InvalidArgument as error:
                raise RegistryRefused(error.message) from error
        assert failure is not None
        raise failure

    async def login(self, auth: AuthConfig) -> str:
        """Fulfil `Registry.login`."""
        domain = _login_domain(auth.serveraddress)
        failure: RegistryUnreachable | None = None
        for endpoint in self._requests.endpoints(domain, mirrors=False):
            url = f"{endpoint.url}/v2/"
            try:
                return await self._login(endpoint, url, auth)
            except RegistryUnreachable as error:
                failure = error
        assert failure is not None
        raise failure

    async def _login(self, endpoint: Endpoint, url: str, auth: AuthConfig) -> str:
        async with await self._requests.send(endpoint, url, {}) as response:
            if response.status == HTTPStatus.OK:
                return ""
            challenges = response.headers.getall("WWW-Authenticate", [])
        try:
            identity = "" if auth.identitytoken else await self._requests.authorizer.identity(
                endpoint, challenges, auth
            )  # fmt: skip
            header = await self._requests.authorizer.answer(endpoint, "", auth, challenges, url)
        except RegistryRefused as error:
            raise LoginFailed(url, f"401 Unauthorized: {error.message}") from error
        async with await self._requests.send(endpoint, url, {"Authorization": header}) as response:
            if response.status != HTTPStatus.OK:
                status = f"{response.status} {HTTPStatus(response.status).phrase}"
                raise LoginFailed(url, status)
        return identity

    async def close(self) -> None:
        """Fulfil `Registry.close`."""
        await self._requests.close()


def _login_domain(address: str) -> str:
    bare = address.removeprefix("https://").removeprefix("http://").partition("/")[0]
    if bare in {"", "index.docker.io", "registry-1.docker.io"}:
        return DEFAULT_DOMAIN
    return parse_normalized(f"{bare}/x").domain


def _continues(response: aiohttp.ClientResponse, offset: int) -> bool:
    """Tell whether an answer starts where the file ended; else it is the whole blob."""
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return False
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != offset:
        raise RegistryRefused("the registry sent another part of the blob than it was asked for")
    return True
