"""Blobs, layers and the mountable trees made of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Compressed(Protocol):
    """One pass over a blob, compressed with gzip on the way, always to the same bytes."""

    @property
    def digest(self) -> str:
        """The digest of the compressed bytes, once all were read."""

    @property
    def size(self) -> int:
        """How many compressed bytes were read."""

    def pieces(self) -> AsyncIterator[bytes]:
        """Yield the compressed bytes. Errors: NotFound, Internal (disk)."""


class Staging(Protocol):
    """An image archive taken apart: its members by cleaned name, none of them a blob yet."""

    def names(self) -> set[str]:
        """Return the members' names."""

    def digest(self, name: str) -> str:
        """Return the digest of a member's content, by the algorithm that names it as a blob.

        Errors:  NotFound.
        """

    def size(self, name: str) -> int:
        """Return a member's bytes. Errors: NotFound."""

    def read(self, name: str, limit: int) -> bytes:
        """Return a small member. Errors: NotFound, InvalidArgument when it exceeds the limit."""

    async def keep(self, name: str) -> str:
        """Make a member a blob; return its digest. Errors: NotFound."""

    async def discard(self) -> None:
        """Delete what was not kept."""


class BlobStore(Protocol):
    """Content by digest (`sha256:<64 hex>`, `sha512:…`), as an OCI image layout keeps it."""

    def path(self, digest: str) -> Path:
        """Return where a blob is, or would be."""

    def has(self, digest: str) -> bool:
        """Tell whether the whole blob is here."""

    def size(self, digest: str) -> int:
        """Return a blob's bytes. Errors: NotFound."""

    def read(self, digest: str) -> bytes:
        """Return a small blob (manifest, configuration). Errors: NotFound."""

    def head(self, digest: str, count: int) -> bytes:
        """Return a blob's first bytes. Errors: NotFound."""

    def chunks(self, digest: str) -> AsyncIterator[bytes]:
        """Yield a blob's content in large pieces. Errors: NotFound."""

    def compressed(self, digest: str, progress: Callable[[int], None]) -> Compressed:
        """Return a blob as gzip makes it; `progress` gets how many plain bytes went in."""

    async def ingest(
        self, chunks: AsyncIterator[bytes], digest: str | None = None, size: int | None = None
    ) -> tuple[str, int]:
        """Store a stream under its digest, by the algorithm of the one it should have.

        Returns (digest, size).
        Errors:  InvalidArgument on a wrong digest or size; nothing is kept then.
        """

    async def delete(self, digest: str) -> None:
        """Forget a blob and its partial; fine if gone."""

    def partial(self, digest: str) -> tuple[Path, int]:
        """Return where a blob's first bytes are gathered, and how many there are now.

        Who downloads appends to that file by itself; one writer at a time.
        """

    async def commit_partial(self, digest: str, size: int | None = None) -> int:
        """Make a whole partial the blob; return its size.

        Errors:  InvalidArgument on a wrong digest or size; the partial is gone then.
        """

    async def stage(self, chunks: AsyncIterator[bytes]) -> Staging:
        """Take an image archive (tar; plain, gzip, zstd, ...) apart while it arrives.

        Errors:  InvalidArgument when it is no proper tar; nothing is left then.
        """

    async def ingest_plain(self, chunks: AsyncIterator[bytes]) -> tuple[str, int]:
        """Store a stream uncompressed, whatever it was compressed by; return (digest, size).

        Errors:  InvalidArgument when the compressed data is damaged.
        """

    def digests(self) -> set[str]:
        """Return every whole blob."""

    async def sweep(self, keep: set[str]) -> None:
        """Delete what is half-written and all blobs but `keep`; for the start of the daemon."""


@dataclass(frozen=True, slots=True)
class Layer:
    """An unpacked layer: uncompressed digest, chain id (OCI image spec), bytes on disk."""

    diff_id: str
    chain_id: str
    size: int


class Snapshotter(Protocol):
    """Unpacked layers and container roots (overlayfs)."""

    def has_layer(self, chain_id: str) -> bool:
        """Tell whether a layer is unpacked."""

    async def unpack(
        self,
        parent: str | None,
        blob: Path,
        *,
        diff_id: str | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Layer:
        """Unpack a tar (plain, gzip or zstd) over its parent chain, whole or not at all.

        Done in a process of its own that cannot reach outside the layer's directory. The parent
        need not be unpacked yet. `diff_id` is what the content must be; `progress` is told how
        many bytes of the blob were read.
        Errors:  InvalidArgument when the tar is malformed, names the outside or is another one.
        """

    async def remove_layer(self, chain_id: str) -> bool:
        """Delete a layer that no container's tree stands on; True if it was there and went."""

    def layers(self) -> set[str]:
        """Return the chain ids of all unpacked layers."""

    async def sweep(self, keep: set[str]) -> None:
        """Delete half-made trees and all layers but `keep`; for the start of the daemon."""

    async def prepare(self, container_id: str, chain_ids: Sequence[str]) -> None:
        """Make an empty writable tree over the layers, base first."""

    async def mount(self, container_id: str) -> Path:
        """Mount a container's tree; return its root. Idempotent."""

    async def hold(self, container_id: str, chain_ids: Sequence[str]) -> None:
        """Keep layers that a prepared container will look into, until its tree is removed."""

    async def mount_view(self, chain_ids: Sequence[str], target: Path) -> None:
        """Mount layers, base first, read-only on an empty directory. Errors: NotFound."""

    async def unmount(self, container_id: str) -> None:
        """Undo `mount`; fine if not mounted."""

    async def remove(self, container_id: str) -> None:
        """Unmount and delete a container's writable tree; fine if gone."""

    def root(self, container_id: str) -> Path:
        """Return where `mount` puts the tree."""

    def driver_data(self, container_id: str, chain_ids: Sequence[str]) -> dict[str, str]:
        """Return LowerDir, MergedDir, UpperDir, WorkDir as inspect shows them."""

    def tree_paths(self, container_id: str, chain_ids: Sequence[str]) -> tuple[Path, list[Path]]:
        """Return the writable tree's own directory, and the layers' below it, top first."""

    async def usage(self, container_id: str) -> int:
        """Return the bytes that the writable tree uses."""

    def known(self) -> set[str]:
        """Return the containers that have a writable tree on disk."""
