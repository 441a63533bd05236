"""The file trees of containers, as the containers themselves see them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engine.core.id_maps import IdMaps


@dataclass(frozen=True, slots=True)
class LiveTree:
    """What the processes of a running container see.

    `root` is where the host has its tree; `hidden` are mounts of the kernel's own (/proc) to be
    taken out of sight; `ids` the maps of its user namespace, if it has one of its own: owners are
    told and taken by the numbers inside.
    """

    pid: int
    root: Path
    hidden: Sequence[str] = ()
    ids: IdMaps | None = None


@dataclass(frozen=True, slots=True)
class Bind:
    """A mount of a container at rest: host path, place in the container."""

    source: str
    destination: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class StillTree:
    """The mounted tree of a container, and what is to be mounted on it, outer before inner.

    `ids` as in `LiveTree`.
    """

    root: Path
    binds: Sequence[Bind] = ()
    read_only: bool = False
    ids: IdMaps | None = None


TreeView = LiveTree | StillTree


@dataclass(frozen=True, slots=True)
class PathFacts:
    """What lstat says of a path; `link_target` is where a link ends inside the container."""

    size: int
    mode: int
    mtime_ns: int
    link_target: str = ""


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Where a tar goes: an absolute path of the container, a directory.

    `keep_kinds` refuses to replace directories by other things or the reverse; `owner` (uid, gid)
    stands in for the tar's owners.
    """

    path: str
    keep_kinds: bool = False
    owner: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class LayerPaths:
    """A writable tree, and the layers below it, top first.

    `placeholders` are paths that the engine itself makes to mount on: they are no changes. `ids`
    as in `LiveTree`.
    """

    upper: Path
    lowers: Sequence[Path]
    placeholders: Sequence[str] = ()
    ids: IdMaps | None = None


@dataclass(frozen=True, slots=True)
class TreeChange:
    """A path that differs from the image; kinds as the API counts: modified, added, deleted."""

    path: str
    kind: int


class Chunks(Protocol):
    """Bytes on their way; whoever stops early closes."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return itself."""

    async def __anext__(self) -> bytes:
        """Return some bytes. Errors: StopAsyncIteration at the end, Internal."""

    async def aclose(self) -> None:
        """End what produces the bytes; fine if it has ended."""


class Trees(Protocol):
    """Reads and writes trees so that nothing outside of them can be reached."""

    async def stat(self, view: TreeView, path: str) -> PathFacts:
        """Return what is at an absolute path, links in its last part not followed.

        Errors:  PathMissing, NotADirectoryPath, ViewGone.
        """

    async def pack(self, view: TreeView, path: str, name: str) -> tuple[PathFacts, Chunks]:
        """Return what is at a path, and a tar of it with entries that begin with `name`.

        Errors:  as `stat`; the chunks raise Internal when reading fails later.
        """

    async def pack_tree(self, view: TreeView) -> Chunks:
        """Return a tar of all."""

    async def place(self, view: TreeView, order: PlaceOrder, chunks: AsyncIterator[bytes]) -> None:
        """Unpack a tar (plain or compressed) while it arrives.

        Errors:  PathMissing, InvalidArgument (no directory, no proper tar), TreeReadOnly, Internal.
        """

    async def changes(self, layers: LayerPaths) -> list[TreeChange]:
        """Return what differs from the layers below, parents first."""

    async def pack_changes(self, layers: LayerPaths) -> Chunks:
        """Return what differs as a layer (OCI image spec, layer.md)."""
