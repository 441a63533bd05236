"""Trees of containers: looked at in a thread, read and written by a process locked into them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib.util
import os
import stat
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

from api.errors import Conflict, Internal, InvalidArgument, SkepError
from engine.adapters.mount_namespace import OpenView, ViewGone, in_own_thread, open_view
from engine.adapters.rootfs import RootfsFiles
from engine.adapters.trees import start
from engine.adapters.trees.pack import Packer
from engine.adapters.trees.place import place
from engine.adapters.trees.tarwriter import SmallOutput, TooMuch
from engine.adapters.trees.worker import NAMESPACE, failure
from engine.adapters.unpacking.source import Stream, compression
from engine.core.container_path import NotADirectoryPath, PathMissing, TreeReadOnly
from engine.core.id_maps import IdMaps
from engine.ports.trees import (
    Chunks,
    LayerPaths,
    LiveTree,
    PathFacts,
    PlaceOrder,
    StillTree,
    TreeChange,
    TreeView,
)

Result = TypeVar("Result")

_CHUNK = 1 << 20
# What is copied without a process of its own: reading or writing it takes milliseconds.
_SMALL = 512 << 10
# Clients send pieces of 32 KiB; fewer and larger ones wake the process less often.
_WRITE = 256 << 10
_END_S = 10.0
_CHANGES_S = 600.0


class ContainerTrees:
    """Fulfils `Trees`. `rootfs` makes the places to mount on in a container at rest."""

    def __init__(self, rootfs: RootfsFiles) -> None:
        self._rootfs = rootfs
        found = importlib.util.find_spec("zstandard")
        self._zstd = str(Path(found.origin).parent.parent) if found and found.origin else ""

    async def stat(self, view: TreeView, path: str) -> PathFacts:
        """Return what is at an absolute path, links in its last part not followed."""
        opened, facts = await self._within(view, path, lambda: _facts(path))
        opened.close()
        return facts

    async def pack(self, view: TreeView, path: str, name: str) -> tuple[PathFacts, Chunks]:
        """Return what is at a path, and a tar of it with entries that begin with `name`."""
        opened, (facts, content) = await self._within(
            view, path, lambda: (_facts(path), _pack_small(path, name, view.ids))
        )
        if content is None:
            words = _text(view.ids), str(opened.root), path, name
            return facts, await _packing(opened, "pack", *words)
        opened.close()
        return facts, _Kept(content)

    async def pack_tree(self, view: TreeView) -> Chunks:
        """Return a tar of all."""
        opened, _ = await self._within(view, "/", lambda: None)
        return await _packing(opened, "tree", _text(view.ids), str(opened.root))

    async def place(self, view: TreeView, order: PlaceOrder, chunks: AsyncIterator[bytes]) -> None:
        """Unpack a tar (plain or compressed) while it arrives.

        In a running container with a user namespace it is done with no other rights than those of
        the container's own root: it may have links exchanged for others under our hands, and
        files of the host in sight that it may not write to.
        """
        head = await _first(chunks)
        error: str | None
        is_watched = isinstance(view, LiveTree) and view.ids is not None
        if len(head) <= _SMALL and compression(head) == "" and not is_watched:
            opened, error = await self._within(
                view, order.path, lambda: _place_small(order, head, view.ids)
            )
            opened.close()
        else:
            error = await self._place_large(view, order, _joined(head, chunks))
        if error is not None:
            raise _translated(error, order.path)

    async def _place_large(
        self, view: TreeView, order: PlaceOrder, chunks: AsyncIterator[bytes]
    ) -> str | None:
        opened, _ = await self._within(view, order.path, lambda: None)
        try:
            owner = "{}:{}".format(*order.owner) if order.owner else ""
            namespace = "" if opened.user is None else f"{NAMESPACE}{opened.user}"
            process = await _start(
                opened, "place", namespace or _text(view.ids), str(opened.root), order.path,
                "1" if order.keep_kinds else "0", owner, self._zstd, stdin=PIPE,
            )  # fmt: skip
            try:
                await _feed(process, chunks)
                return await _ending(process)
            except BaseException:
                await asyncio.shield(_kill(process))
                raise
        finally:
            opened.close()

    async def changes(self, layers: LayerPaths) -> list[TreeChange]:
        """Return what differs from the layers below, parents first."""
        chunks = await _packing(None, "changes", *_arguments(layers))
        try:
            async with asyncio.timeout(_CHANGES_S):
                text = b"".join([chunk async for chunk in chunks])
        finally:
            await chunks.aclose()
        return [
            TreeChange(line[1:].decode(errors="replace"), int(line[:1]))
            for line in text.split(b"\0")[:-1]
        ]

    async def pack_changes(self, layers: LayerPaths) -> Chunks:
        """Return what differs as a layer (OCI image spec, layer.md)."""
        return await _packing(None, "layer", _text(layers.ids), *_arguments(layers))

    async def _within(
        self, view: TreeView, path: str, work: Callable[[], Result]
    ) -> tuple[OpenView, Result]:
        """Open a tree, do quick work with the thread's root in it; return both.

        The work may import nothing: it would import from the container.
        """
        await self._make_places(view)

        def run() -> tuple[OpenView, Result]:
            opened = open_view(view)
            try:
                return opened, work()
            except BaseException:
                opened.close()
                raise

        try:
            return await in_own_thread(run, lambda result: result[0].close())
        except OSError as error:
            raise _refusal(error, path) from error

    async def _make_places(self, view: TreeView) -> None:
        """Make the places to mount on, as a start would, in a container that never started."""
        if isinstance(view, StillTree):
            for bind in view.binds:
                is_file = await asyncio.to_thread(os.path.isfile, bind.source)
                await self._rootfs.make_mount_point(view.root, bind.destination, is_file=is_file)


class _Kept:
    """Bytes that are there already."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __aiter__(self) -> _Kept:
        return self

    async def __anext__(self) -> bytes:
        if not self._content:
            raise StopAsyncIteration
        content, self._content = self._content, b""
        return content

    async def aclose(self) -> None:
        """Forget them."""
        self._content = b""


class _Output:
    """The stdout of a process; closing ends the process and lets the mounts go."""

    def __init__(self, process: Process, view: OpenView | None) -> None:
        self._process = process
        self._view = view

    def __aiter__(self) -> _Output:
        return self

    async def __anext__(self) -> bytes:
        assert self._process.stdout is not None
        chunk = await self._process.stdout.read(_CHUNK)
        if chunk:
            return chunk
        error = await _ending(self._process)
        await self.aclose()
        if error is not None:
            raise _translated(error, "")
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the process; fine if it has ended."""
        try:
            await asyncio.shield(_kill(self._process))
        finally:
            if self._view is not None:
                view, self._view = self._view, None
                view.close()


async def _packing(view: OpenView | None, *words: str) -> Chunks:
    try:
        return _Output(await _start(view, *words), view)
    except BaseException:
        if view is not None:
            view.close()
        raise


async def _start(view: OpenView | None, *words: str, stdin: int = DEVNULL) -> Process:
    held = (view.root, view.user) if view is not None else ()
    passed = [each for each in held if each is not None]
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", start.__file__, *words,
            stdin=stdin, stdout=PIPE, stderr=PIPE, pass_fds=passed, limit=2 * _CHUNK,
        )  # fmt: skip
    except OSError as error:
        raise Internal(f"cannot start the process that reads files: {error}") from error


async def _feed(process: Process, chunks: AsyncIterator[bytes]) -> None:
    """Hand the tar over; when the process ends early, its last words say why."""
    assert process.stdin is not None
    gathered: list[bytes] = []
    size = 0
    try:
        async for chunk in chunks:
            gathered.append(chunk)
            size += len(chunk)
            if size >= _WRITE:
                process.stdin.writelines(gathered)
                gathered, size = [], 0
                await process.stdin.drain()
        process.stdin.writelines(gathered)
        await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        process.stdin.close()


async def _ending(process: Process) -> str | None:
    """Wait for a process that has said all; return its error, None if there was none."""
    assert process.stderr is not None
    words = (await process.stderr.read(1 << 16)).decode(errors="replace").strip()
    if await process.wait() == 0:
        return None
    return words or "io the process ended without a word"


async def _kill(process: Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_END_S):
            await process.wait()


def _facts(path: str) -> PathFacts:
    found = os.lstat(path)
    target = os.path.realpath(path) if stat.S_ISLNK(found.st_mode) else ""
    return PathFacts(found.st_size, found.st_mode, found.st_mtime_ns, target)


def _pack_small(path: str, name: str, ids: IdMaps | None) -> bytes | None:
    """Return the tar of a path; None if it is not small, or has something the worker shall tell."""
    output = SmallOutput(_SMALL)
    try:
        Packer(output, ids).path(path, os.fsencode(name))
        return output.content()
    except (TooMuch, OSError):
        return None


def _place_small(order: PlaceOrder, content: bytes, ids: IdMaps | None) -> str | None:
    """Unpack a small tar; return what went wrong, as the worker tells it."""
    os.umask(0)  # of this thread alone, as its root is
    source = Stream(iter((content,)))
    try:
        place(source, order.path, keep_kinds=order.keep_kinds, owner=order.owner, ids=ids)
    except (OSError, ValueError) as error:
        return failure(error)
    return None


async def _first(chunks: AsyncIterator[bytes]) -> bytes:
    """Return a small upload whole, of a larger one a little more than would be small."""
    head = bytearray()
    async for chunk in chunks:
        head += chunk
        if len(head) > _SMALL:
            break
    return bytes(head)


async def _joined(head: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in chunks:
        yield chunk


def _text(ids: IdMaps | None) -> str:
    return ids.text() if ids else ""


def _arguments(layers: LayerPaths) -> list[str]:
    return ["\n".join(layers.placeholders), str(layers.upper), *map(str, layers.lowers)]


def _refusal(error: OSError, path: str) -> SkepError:
    if isinstance(error, ViewGone):
        return Conflict("the container ended meanwhile")
    if error.errno in {errno.ENOENT, errno.ELOOP}:
        return PathMissing(path)
    if error.errno == errno.ENOTDIR:
        return NotADirectoryPath(path)
    if error.errno == errno.ENAMETOOLONG:
        return InvalidArgument(f"{path[:64]}...: file name too long")
    return Internal(f"cannot enter the container's files: {error}")


def _translated(words: str, path: str) -> SkepError:
    """Return the error that the worker's last line speaks of."""
    kind, _, text = words.splitlines()[-1].partition(" ")
    match kind:
        case "missing":
            return PathMissing(path) if text.startswith(f"{path}:") else InvalidArgument(text)
        case "readonly":
            return TreeReadOnly()
        case "invalid" | "busy":
            return InvalidArgument(text)
        case "space":
            return Internal(f"{text.rpartition(':')[0]}: no space left on device")
        case _:
            return Internal(f"cannot copy files: {text}")
