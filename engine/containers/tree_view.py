"""Lend the file tree of a container, running or not, to a verb that reads or writes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from api.errors import Conflict
from engine.containers.env import ContainersEnv
from engine.containers.mounts import let_go, ready_mounts, sources
from engine.containers.record import ContainerRecord
from engine.containers.user_namespace import own_ids, packed_ids
from engine.core.container_state import Status
from engine.ports.trees import Bind, Chunks, LiveTree, StillTree, TreeView
from engine.volumes.unmount import unmount as unmount_volume

Result = TypeVar("Result")

_KERNEL_MOUNTS = ("/proc", "/sys", "/dev")


class NoTree(Conflict):
    """The container is on its way out."""

    def __init__(self, record: ContainerRecord) -> None:
        super().__init__(f"container {record.id} is {record.state.status}: its files are gone")


@asynccontextmanager
async def tree_view(
    env: ContainersEnv, record: ContainerRecord, *, mounts: bool = True
) -> AsyncIterator[TreeView]:
    """Lend a container's tree, with its mounts on it or (`mounts` false) bare.

    A container at rest is mounted for it and cannot be started or removed meanwhile.
    Errors:  NoSuchContainer, NoTree, Internal.
    """
    live = env.live.of(record.id)
    if record.state.has_process:
        yield _live_view(env, record, mounts=mounts)
        return
    async with live.lock:
        record = env.store.get(record.id)
        if record.state.has_process:
            yield _live_view(env, record, mounts=mounts)
            return
        if record.state.status in {Status.REMOVING, Status.DEAD}:
            raise NoTree(record)
        if live.teardown is not None:
            await asyncio.shield(live.teardown)
            live.teardown = None
        try:
            yield await _still_view(env, record, mounts=mounts)
        finally:
            await asyncio.shield(_put_back(env, record, mounts=mounts))


def _live_view(env: ContainersEnv, record: ContainerRecord, *, mounts: bool) -> TreeView:
    root = env.images.snapshotter.root(record.id)
    if not mounts:
        return StillTree(root, ids=packed_ids(env))
    asked = [mount.destination for mount in record.mounts]
    hidden = [
        place
        for place in _KERNEL_MOUNTS
        if not any(each == place or each.startswith(f"{place}/") for each in asked)
    ]
    return LiveTree(record.state.pid, root, hidden, own_ids(env, record))


async def _still_view(env: ContainersEnv, record: ContainerRecord, *, mounts: bool) -> TreeView:
    root = await env.images.snapshotter.mount(record.id)
    if not mounts:
        return StillTree(root, ids=packed_ids(env))
    await ready_mounts(env, record, root)
    places = await sources(env, record)
    binds = [
        Bind(places[mount.destination], mount.destination, mount.read_only)
        for mount in record.mounts
        if mount.destination in places
    ]
    read_only = record.host_config.ReadonlyRootfs
    return StillTree(root, binds, read_only=read_only, ids=own_ids(env, record))


async def _put_back(env: ContainersEnv, record: ContainerRecord, *, mounts: bool) -> None:
    if mounts:
        await let_go(env, record)
        for mount in record.mounts:
            if mount.volume:
                await unmount_volume(env.volumes, mount.volume, record.id)
        if record.host_config.IpcMode == "shareable":
            await env.host.files.close_shm(record.id)
    await env.images.snapshotter.unmount(record.id)


class LentChunks:
    """Chunks read from a lent tree; their end, or closing them, gives it back."""

    def __init__(self, chunks: Chunks, give_back: AsyncExitStack) -> None:
        self._chunks = chunks
        self._give_back = give_back

    def __aiter__(self) -> LentChunks:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._chunks.__anext__()
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Stop reading; fine if all was read."""
        try:
            await self._chunks.aclose()
        finally:
            await self._give_back.aclose()


async def lend(
    env: ContainersEnv,
    record: ContainerRecord,
    read: Callable[[TreeView], Awaitable[Result]],
    *,
    mounts: bool = True,
) -> tuple[Result, AsyncExitStack]:
    """Return what `read` makes of a container's tree, and what gives the tree back later."""
    async with AsyncExitStack() as stack:
        view = await stack.enter_async_context(tree_view(env, record, mounts=mounts))
        return await read(view), stack.pop_all()
