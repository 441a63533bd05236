"""Files in and out of containers: what `docker cp` does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from api.errors import SkepError
from engine.containers.env import ContainersEnv
from engine.containers.notify import notify
from engine.containers.process_spec import find_user
from engine.containers.record import ContainerRecord
from engine.containers.tree_view import LentChunks, lend, tree_view
from engine.core.container_path import (
    NoFileInContainer,
    PathMissing,
    RootReadOnly,
    TreeReadOnly,
    absolute,
    base_name,
    stat_header,
)
from engine.ports.trees import PathFacts, PlaceOrder

Result = TypeVar("Result")

log = structlog.get_logger(__name__)

_DRAIN_S = 30.0
_KIND, _DIRECTORY = 0o170000, 0o040000


@dataclass(frozen=True, slots=True)
class PutOptions:
    """How files go in: never a directory for a file or the reverse; owned by the user."""

    no_overwrite_dir_non_dir: bool = False
    copy_uid_gid: bool = False


async def path_stat(env: ContainersEnv, ref: str, path: str) -> str:
    """Return the stat header of a path. Errors: NoSuchContainer, NoFileInContainer."""
    record = env.store.resolve(ref)
    place = absolute(path)
    async with tree_view(env, record) as view:
        facts = await _found(env.host.insight.trees.stat(view, place), path, ref)
    return _header(place, facts)


async def get_archive(env: ContainersEnv, ref: str, path: str) -> tuple[str, AsyncIterator[bytes]]:
    """Return the stat header of a path and a tar of what is there.

    Errors:  NoSuchContainer, NoFileInContainer, InvalidArgument (a path behind a file).
    """
    record = env.store.resolve(ref)
    place = absolute(path)
    name = base_name(place)
    trees = env.host.insight.trees
    (facts, chunks), stack = await lend(
        env, record, lambda view: _found(trees.pack(view, place, name), path, ref)
    )
    notify(env, record, "archive-path", path=path)
    return _header(place, facts), LentChunks(chunks, stack)


async def put_archive(
    env: ContainersEnv, ref: str, path: str, chunks: AsyncIterator[bytes], options: PutOptions
) -> None:
    """Unpack a tar into a directory of a container.

    Errors:  NoSuchContainer, NoFileInContainer, InvalidArgument (no directory, no tar),
             RootReadOnly, TreeReadOnly, Internal (no space).
    """
    record = env.store.resolve(ref)
    try:
        await _put(env, record, ref, absolute(path), chunks, options)
    except SkepError:
        await _drop(chunks)
        raise
    notify(env, record, "extract-to-dir", path=path)


async def _put(
    env: ContainersEnv,
    record: ContainerRecord,
    ref: str,
    path: str,
    chunks: AsyncIterator[bytes],
    options: PutOptions,
) -> None:
    async with tree_view(env, record) as view:
        owner = None
        if options.copy_uid_gid and record.config.User:
            user = await find_user(env, view.root, record.config.User, None)
            owner = (user.uid, user.gid)
        order = PlaceOrder(path, options.no_overwrite_dir_non_dir, owner)
        try:
            await _found(env.host.insight.trees.place(view, order, chunks), path, ref)
        except TreeReadOnly as error:
            if _is_in_mount(record, path):
                raise
            raise RootReadOnly from error


def _is_in_mount(record: ContainerRecord, path: str) -> bool:
    places = (mount.destination for mount in record.mounts)
    return any(f"{path}/".startswith(f"{place}/") for place in places)


async def _drop(chunks: AsyncIterator[bytes]) -> None:
    """Read what the client still sends, so that it comes to hear the answer."""
    try:
        async with asyncio.timeout(_DRAIN_S):
            async for _ in chunks:
                pass
    except Exception as error:  # whatever it is, the answer is an error
        log.debug("container.upload_dropped", reason=repr(error))


async def _found(work: Awaitable[Result], path: str, ref: str) -> Result:
    try:
        return await work
    except PathMissing as error:
        raise NoFileInContainer(path, ref) from error


def _header(place: str, facts: PathFacts) -> str:
    return stat_header(base_name(place), facts.size, facts.mode, facts.mtime_ns, facts.link_target)
