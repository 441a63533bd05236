"""GET /containers/{id}/logs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.errors import InvalidArgument, NoSuchContainer
from api.types.containers import ContainerConfig, HostConfig, LogConfig
from engine.adapters.log_files import DiskLogFiles
from engine.containers.logs import LogsUnreadable, logs
from engine.core.container_state import Status
from engine.core.logline import LogQuery
from tests.fakes.container_io import CONTAINER_ID, World

TERMINAL = ContainerConfig(Tty=True)


def line(text: str) -> bytes:
    """Return a record of the log."""
    return b"2024-01-01T00:00:00.000000000+00:00 stdout F " + text.encode() + b"\n"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Give a world whose logs are real files."""
    files = DiskLogFiles()
    yield World(tmp_path, logs=files)
    files.close()


def write(world: World, *texts: str) -> None:
    """Let the container's monitor log lines."""
    with world.log_path.open("ab") as log:
        log.write(b"".join(line(text) for text in texts))


async def test_the_whole_log_comes_without_following(world: World) -> None:
    """A terminal's log is raw."""
    world.add(config=TERMINAL)
    write(world, "a", "b")

    chunks = await logs(world.env, "web", LogQuery(), follow=False)

    assert b"".join([chunk async for chunk in chunks]) == b"a\nb\n"


async def test_tail_gives_the_last_lines(world: World) -> None:
    """`docker logs --tail 1`."""
    world.add(config=TERMINAL)
    write(world, "a", "b")

    chunks = await logs(world.env, "web", LogQuery(tail=1), follow=False)

    assert b"".join([chunk async for chunk in chunks]) == b"b\n"


async def test_following_ends_after_the_exit_with_all_that_was_written(world: World) -> None:
    """The last words of a crash are the ones people look for."""
    world.add(config=TERMINAL)
    write(world, "first")
    chunks = await logs(world.env, CONTAINER_ID[:5], LogQuery(), follow=True)
    assert await anext(chunks) == b"first\n"

    write(world, "last words")
    world.exit()

    assert b"".join([chunk async for chunk in chunks]) == b"last words\n"


async def test_new_lines_reach_the_follower(world: World) -> None:
    """While the container runs."""
    world.add(config=TERMINAL)
    chunks = await logs(world.env, "web", LogQuery(), follow=True)
    waiting = asyncio.ensure_future(anext(chunks))
    await asyncio.sleep(0)

    write(world, "new")

    assert await asyncio.wait_for(waiting, 5) == b"new\n"
    world.exit()
    assert [chunk async for chunk in chunks] == []


async def test_a_stopped_container_has_nothing_to_follow(world: World) -> None:
    """`docker logs -f` of it ends."""
    world.add(Status.EXITED, TERMINAL)
    write(world, "a")

    chunks = await logs(world.env, "web", LogQuery(), follow=True)

    assert b"".join([chunk async for chunk in chunks]) == b"a\n"


async def test_following_ends_when_until_is_reached(world: World) -> None:
    """Though the container says nothing more."""
    world.add(config=TERMINAL)
    until_ns = world.clock.now_ns() + 20_000_000
    chunks = await logs(world.env, "web", LogQuery(until_ns=until_ns), follow=True)
    rest = asyncio.ensure_future(_all(chunks))
    await asyncio.sleep(0)

    world.clock.advance(1)

    assert await asyncio.wait_for(rest, 5) == []


async def test_closing_lets_go_of_the_file(world: World) -> None:
    """A client that vanishes must not leave an open log behind."""
    world.add(config=TERMINAL)
    write(world, "a")
    before = _open_files()
    chunks = await logs(world.env, "web", LogQuery(), follow=True)
    await anext(chunks)

    await chunks.aclose()

    assert _open_files() - before <= {"anon_inode:inotify"}


async def test_details_stand_before_each_line(world: World) -> None:
    """`docker logs --details` of a container with --log-opt labels=app."""
    options = HostConfig(LogConfig=LogConfig(Config={"labels": "app"}))
    world.add(config=ContainerConfig(Tty=True, Labels={"app": "x"}), host_config=options)
    write(world, "a")

    chunks = await logs(world.env, "web", LogQuery(), follow=False, details=True)

    assert [chunk async for chunk in chunks] == [b"app=x a\n"]


async def test_driver_none_is_refused_in_dockers_words(world: World) -> None:
    """Before the answer begins."""
    world.add(host_config=HostConfig(LogConfig=LogConfig(Type="none")))

    with pytest.raises(LogsUnreadable, match="configured logging driver does not support reading"):
        await logs(world.env, "web", LogQuery(), follow=False)


async def test_no_stream_is_refused(world: World) -> None:
    """Docker's words."""
    world.add()

    with pytest.raises(InvalidArgument, match="you must choose at least one stream"):
        await logs(world.env, "web", LogQuery(stdout=False, stderr=False), follow=False)


async def test_unknown_container_is_not_found(world: World) -> None:
    """404."""
    with pytest.raises(NoSuchContainer):
        await logs(world.env, "nosuch", LogQuery(), follow=False)


async def _all(chunks: AsyncIterator[bytes]) -> list[bytes]:
    return [chunk async for chunk in chunks]


def _open_files() -> set[str]:
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.add(str(link.readlink()))
        except FileNotFoundError:
            continue
    return found
