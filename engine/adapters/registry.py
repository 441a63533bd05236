"""The registry client, whose HTTP library is loaded when somebody pulls, and not before.

A node may run for months on images that it has; the library would cost it memory and start time.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from api.references import Reference
from api.types.registry import AuthConfig
from engine.core.manifest import Descriptor
from engine.core.registry_search import SearchResult
from engine.ports.registry import FetchedManifest, Registry, Upload
from engine.settings import LiveSettings


class DeferredRegistry:
    """Fulfils `Registry` by a client that is made at the first call."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._made: Registry | None = None

    async def _client(self) -> Registry:
        if self._made is None:
            module = await asyncio.to_thread(
                importlib.import_module, "engine.adapters.registry_http"
            )
            if self._made is None:
                self._made = cast("Registry", module.HttpRegistry(self._settings))
        return self._made

    async def manifest(self, reference: Reference, auth: AuthConfig | None) -> FetchedManifest:
        """Fulfil `Registry.manifest`."""
        return await (await self._client()).manifest(reference, auth)

    async def read_blob(
        self, reference: Reference, blob: Descriptor, auth: AuthConfig | None
    ) -> bytes:
        """Fulfil `Registry.read_blob`."""
        return await (await self._client()).read_blob(reference, blob, auth)

    async def download(
        self,
        reference: Reference,
        blob: Descriptor,
        auth: AuthConfig | None,
        path: Path,
        progress: Callable[[int], None],
    ) -> None:
        """Fulfil `Registry.download`."""
        await (await self._client()).download(reference, blob, auth, path, progress)

    async def tags(self, reference: Reference, auth: AuthConfig | None) -> list[str]:
        """Fulfil `Registry.tags`."""
        return await (await self._client()).tags(reference, auth)

    async def blob_size(
        self, reference: Reference, digest: str, auth: AuthConfig | None
    ) -> int | None:
        """Fulfil `Registry.blob_size`."""
        return await (await self._client()).blob_size(reference, digest, auth)

    async def mount(
        self, reference: Reference, digest: str, origins: Sequence[str], auth: AuthConfig | None
    ) -> str:
        """Fulfil `Registry.mount`."""
        return await (await self._client()).mount(reference, digest, origins, auth)

    async def upload(self, reference: Reference, content: Upload, auth: AuthConfig | None) -> None:
        """Fulfil `Registry.upload`."""
        await (await self._client()).upload(reference, content, auth)

    async def put_manifest(
        self, reference: Reference, media_type: str, document: bytes, auth: AuthConfig | None
    ) -> None:
        """Fulfil `Registry.put_manifest`."""
        await (await self._client()).put_manifest(reference, media_type, document, auth)

    async def search(self, domain: str, query: str, auth: AuthConfig | None) -> list[SearchResult]:
        """Fulfil `Registry.search`."""
        return await (await self._client()).search(domain, query, auth)

    async def login(self, auth: AuthConfig) -> str:
        """Fulfil `Registry.login`."""
        return await (await self._client()).login(auth)

    async def close(self) -> None:
        """Fulfil `Registry.close`; a client that was never made needs no closing."""
        if self._made is not None:
            await self._made.close()
            self._made = None
