"""Bring one layer of a push to its registry: as it is stored, or compressed on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from api.ids import short_id
from api.references import Reference
from api.types.registry import AuthConfig
from engine.core.push_plan import Blob, compression
from engine.images.env import ImagesEnv
from engine.images.feed import Bar, ProgressFeed
from engine.images.record import CompressedForm
from engine.images.transfers import Report
from engine.ports.storage import Compressed

_HEAD_BYTES = 4


@dataclass(frozen=True, slots=True)
class PushedLayer:
    """A layer to push: its blob as stored, its diff id, and repositories that may have it."""

    digest: str
    diff_id: str
    kind: str
    origins: Sequence[str]


@dataclass(frozen=True, slots=True)
class Target:
    """Where to, and as whom."""

    reference: Reference
    auth: AuthConfig | None


class StoredBlob:
    """Fulfils `Upload`: a blob as it is."""

    def __init__(self, env: ImagesEnv, digest: str, report: Report) -> None:
        self._env = env
        self._digest = digest
        self._report = report

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the content."""
        sent = 0
        async for piece in self._env.blobs.chunks(self._digest):
            yield piece
            sent += len(piece)
            self._report(sent)

    def descriptor(self) -> tuple[str, int]:
        """Return what it is."""
        return self._digest, self._env.blobs.size(self._digest)


class PlainBlob:
    """Fulfils `Upload`: a blob that is stored plain, compressed on its way."""

    def __init__(self, env: ImagesEnv, digest: str, report: Report) -> None:
        self._env = env
        self._digest = digest
        self._report = report
        self._latest: Compressed | None = None

    def pieces(self) -> AsyncIterator[bytes]:
        """Yield the compressed content."""
        self._latest = self._env.blobs.compressed(self._digest, self._report)
        return self._latest.pieces()

    def descriptor(self) -> tuple[str, int]:
        """Return what it became."""
        assert self._latest is not None
        return self._latest.digest, self._latest.size


def layer_kind(env: ImagesEnv, digest: str) -> str:
    """Return what a stored blob is compressed with, "" for nothing."""
    return compression(env.blobs.head(digest, _HEAD_BYTES))


async def push_layer(
    env: ImagesEnv, target: Target, layer: PushedLayer, feed: ProgressFeed
) -> Blob:
    """Return (digest, size) of a layer as the registry has it now.

    Errors:  what the registry refuses with.
    """
    item = short_id(layer.diff_id)
    here = _as_sent(env, layer)
    if here is not None:
        if await env.registry.blob_size(target.reference, here[0], target.auth) is not None:
            feed.step("Layer already exists", item)
            return here
        origin = await env.registry.mount(target.reference, here[0], layer.origins, target.auth)
        if origin:
            feed.step(f"Mounted from {_shown(target.reference, origin)}", item)
            return here

    async def work(report: Report) -> None:
        if layer.kind:
            stored = StoredBlob(env, layer.digest, report)
            await env.registry.upload(target.reference, stored, target.auth)
            return
        plain = PlainBlob(env, layer.digest, report)
        await env.registry.upload(target.reference, plain, target.auth)
        await env.store.note_compressed(layer.digest, CompressedForm(*plain.descriptor()))

    bar = Bar(feed, item, env.blobs.size(layer.digest), "Pushing")
    bar.moved(0)
    await env.uploads.share(f"{target.reference.name}@{layer.digest}", work, bar)
    feed.step("Pushed", item)
    sent = _as_sent(env, layer)
    assert sent is not None
    return sent


def _as_sent(env: ImagesEnv, layer: PushedLayer) -> Blob | None:
    """Return what the layer is to a registry; None when nobody has compressed it yet."""
    if layer.kind:
        return layer.digest, env.blobs.size(layer.digest)
    known = env.store.compressed(layer.digest)
    return None if known is None else (known.digest, known.size)


def _shown(reference: Reference, origin: str) -> str:
    """Return a repository as people write it."""
    return Reference(reference.domain, origin).familiar_name.removeprefix(f"{reference.domain}/")
