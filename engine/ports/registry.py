"""Image registries (OCI distribution specification)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from api.references import Reference
from api.types.registry import AuthConfig
from engine.core.manifest import Descriptor
from engine.core.registry_search import SearchResult


@dataclass(frozen=True, slots=True)
class FetchedManifest:
    """A manifest or an index as the registry sent it; `digest` is that of the bytes."""

    media_type: str
    digest: str
    document: bytes


class Upload(Protocol):
    """A blob on its way to a registry; read anew from its beginning where an upload failed."""

    def pieces(self) -> AsyncIterator[bytes]:
        """Yield the content from its beginning."""

    def descriptor(self) -> tuple[str, int]:
        """Return (digest, size) of what the last call of `pieces` yielded in full."""


class Registry(Protocol):
    """Reads from registries and writes to them; errors are in the words that Docker has for them.

    `auth` are the user's credentials for the reference's registry, sent to it alone.
    """

    async def manifest(self, reference: Reference, auth: AuthConfig | None) -> FetchedManifest:
        """Return what a tag or digest names; a digest is verified.

        Errors:  NotFound (no such manifest, repository, or no access), InvalidArgument (wrong
                 digest, too large), Internal (no answer, refused).
        """

    async def read_blob(
        self, reference: Reference, blob: Descriptor, auth: AuthConfig | None
    ) -> bytes:
        """Return a small blob, not verified, of at most `blob.size` bytes and one."""

    async def download(
        self,
        reference: Reference,
        blob: Descriptor,
        auth: AuthConfig | None,
        path: Path,
        progress: Callable[[int], None],
    ) -> None:
        """Append to a file what it lacks of a blob, trying again where the connection breaks.

        The content is not verified, its size is. `progress` gets the bytes that are in the file.
        Errors:  as `manifest`; what came is left in the file, to be resumed.
        """

    async def tags(self, reference: Reference, auth: AuthConfig | None) -> list[str]:
        """Return every tag of a repository."""

    async def blob_size(
        self, reference: Reference, digest: str, auth: AuthConfig | None
    ) -> int | None:
        """Return the bytes of a blob that the repository has, None if it has it not.

        Of mirrors none is asked: this is for who is about to push.
        Errors:  Internal (no answer, refused).
        """

    async def mount(
        self, reference: Reference, digest: str, origins: Sequence[str], auth: AuthConfig | None
    ) -> str:
        """Let the repository have a blob of another one of the same registry; return which, or "".

        `origins` are paths of repositories, to be tried in order.
        Errors:  as `blob_size`.
        """

    async def upload(self, reference: Reference, content: Upload, auth: AuthConfig | None) -> None:
        """Send a blob, trying again where the connection breaks. Errors: as `blob_size`."""

    async def put_manifest(
        self, reference: Reference, media_type: str, document: bytes, auth: AuthConfig | None
    ) -> None:
        """Let a tag name a manifest, all of whose blobs are there. Errors: as `blob_size`."""

    async def search(self, domain: str, query: str, auth: AuthConfig | None) -> list[SearchResult]:
        """Return what a registry finds; `query` is a query string.

        Errors:  NoSearch, Internal (no answer, refused).
        """

    async def login(self, auth: AuthConfig) -> str:
        """Check credentials with `auth.serveraddress`; return an identity token or "".

        Errors:  LoginFailed (401), Internal (no answer).
        """

    async def close(self) -> None:
        """Close all connections."""
