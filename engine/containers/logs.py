"""GET /containers/{id}/logs: what a container wrote, and what it goes on writing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from api.errors import InvalidArgument, Unsupported
from api.ids import short_id
from engine.containers.env import ContainersEnv
from engine.containers.record import ContainerRecord
from engine.core.log_details import log_details
from engine.core.log_tag import fill_tag
from engine.core.logline import LogQuery, LogRenderer
from engine.ports.logs import LogCursor

_NS = 1_000_000_000
_UNREADABLE = frozenset({"none"})


class LogsUnreadable(Unsupported):
    """The container's log goes where it cannot be read back from."""

    def __init__(self) -> None:
        super().__init__("configured logging driver does not support reading")


async def logs(
    env: ContainersEnv, ref: str, query: LogQuery, *, follow: bool, details: bool = False
) -> AsyncGenerator[bytes, None]:
    """Return the chunks of a container's log; with a terminal they are raw, whatever was asked.

    `follow` goes on until the container exits; one that does not run has nothing to follow.
    `details` puts the labels and variables that the log options choose before each line.
    Errors:  NoSuchContainer, InvalidArgument without a stream, LogsUnreadable.
    """
    record = env.store.resolve(ref)
    if not (query.stdout or query.stderr):
        raise InvalidArgument("Bad parameters: you must choose at least one stream")
    check_readable(env, record)
    if details:
        query = replace(query, details=details_of(record))
    return read_log(env, record, replace(query, raw=record.config.Tty), follow=follow)


def details_of(record: ContainerRecord) -> bytes:
    """Return what stands before each line when details are asked for."""
    config = record.config
    options = record.host_config.LogConfig.Config or {}
    names = {
        "ID": short_id(record.id),
        "FullID": record.id,
        "Name": record.name,
        "ImageID": short_id(record.image_id),
        "ImageFullID": record.image_id,
        "ImageName": record.image_ref,
        "DaemonName": "docker",
    }
    tag = fill_tag(options.get("tag", ""), names)
    return log_details(options, config.Labels or {}, config.Env or [], tag)


def check_readable(env: ContainersEnv, record: ContainerRecord) -> None:
    """Raise LogsUnreadable for a container whose log driver keeps nothing."""
    if not record.log_path:
        raise LogsUnreadable
    driver = record.host_config.LogConfig.Type or env.settings.current.log_driver
    if driver in _UNREADABLE:
        raise LogsUnreadable


async def read_log(
    env: ContainersEnv,
    record: ContainerRecord,
    query: LogQuery,
    *,
    follow: bool,
    renderer: LogRenderer | None = None,
) -> AsyncGenerator[bytes, None]:
    """Yield a log's rendered chunks; closing the iterator lets go of the file.

    renderer: one of the query, where its position is to be asked on the way.
    """
    if not record.log_path:
        return
    current = env.store.find(record.id)
    exited = env.live.of(record.id).exited.expect()
    ends = asyncio.Event()
    if not (follow and current is not None and current.state.has_process):
        ends.set()
    cursor = await env.host.insight.logs.open(Path(record.log_path), follow=not ends.is_set())
    try:
        exited.add_done_callback(partial(_end, ends, cursor))
        if query.tail is not None:
            await cursor.seek_tail(query.tail)
        async with aclosing(_chunks(env, cursor, query, ends, renderer)) as chunks:
            async for chunk in chunks:
                yield chunk
    finally:
        exited.cancel()
        cursor.close()


def _end(ends: asyncio.Event, cursor: LogCursor, _: asyncio.Future[int]) -> None:
    ends.set()
    cursor.wake()


async def _chunks(
    env: ContainersEnv,
    cursor: LogCursor,
    query: LogQuery,
    ends: asyncio.Event,
    renderer: LogRenderer | None,
) -> AsyncGenerator[bytes, None]:
    renderer = renderer or LogRenderer(query)
    while not renderer.finished:
        # asked before the read: output written up to the exit is read once more after it
        is_last = ends.is_set()
        chunk = await cursor.read(renderer.feed)
        if chunk:
            yield chunk
        if chunk is not None:
            continue
        if is_last:
            break
        remaining_s = _remaining_s(env, query)
        if remaining_s is not None and remaining_s <= 0:
            break
        await cursor.changed(remaining_s)
    if rest := renderer.rest():
        yield rest


def _remaining_s(env: ContainersEnv, query: LogQuery) -> float | None:
    """Return how long `until` leaves to follow, None for ever."""
    if not query.until_ns:
        return None
    return (query.until_ns - env.host.clock.now_ns()) / _NS
