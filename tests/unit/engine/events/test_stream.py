"""GET /events as lines."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from api.errors import InvalidArgument
from engine.events.bus import EventBus
from engine.events.stream import EventQuery, EventStream
from tests.fakes.clock import FakeClock


def lines(chunk: bytes) -> list[dict[str, Any]]:
    """Decode JSON lines."""
    return [msgspec.json.decode(line) for line in chunk.splitlines()]


async def everything(chunks: EventStream) -> list[str]:
    """Return the actions of a stream that ends, and close it."""
    found = [each["Action"] async for chunk in chunks for each in lines(chunk)]
    await chunks.aclose()
    return found


def filled(clock: FakeClock) -> EventBus:
    """Return a bus with an event at each of three seconds."""
    bus = EventBus(clock)
    for action in ("create", "start", "die"):
        bus.publish("container", action, "a", {"image": "busybox"})
        clock.advance(1)
    return bus


async def test_history_between_two_moments_ends_the_stream() -> None:
    clock = FakeClock()
    first_ns = clock.now_ns()
    bus = filled(clock)

    query = EventQuery(since_ns=first_ns + 10**9, until_ns=first_ns + 2 * 10**9, wanted={})

    assert ["start", "die"] == await everything(EventStream(bus, clock, query))
    assert 0 == bus.listener_count


async def test_without_since_there_is_no_history() -> None:
    clock = FakeClock()
    bus = filled(clock)

    query = EventQuery(until_ns=clock.now_ns(), wanted={})

    assert [] == await everything(EventStream(bus, clock, query))


async def test_news_follow_history_without_gap_or_repetition() -> None:
    clock = FakeClock()
    first_ns = clock.now_ns()
    bus = filled(clock)
    chunks = EventStream(bus, clock, EventQuery(since_ns=first_ns, wanted={}))

    history = lines(await anext(chunks))
    bus.publish("container", "destroy", "a", {})
    news = lines(await anext(chunks))

    assert ["create", "start", "die"] == [each["Action"] for each in history]
    assert ["destroy"] == [each["Action"] for each in news]


async def test_stream_ends_at_until() -> None:
    clock = FakeClock()
    bus = EventBus(clock)
    query = EventQuery(until_ns=clock.now_ns() + 20_000_000, wanted={})

    async with asyncio.timeout(5):
        assert [] == await everything(EventStream(bus, clock, query))


async def test_client_that_leaves_takes_its_listener_along() -> None:
    clock = FakeClock()
    bus = EventBus(clock)
    chunks = EventStream(bus, clock, EventQuery(wanted={}))
    waiting = asyncio.ensure_future(anext(chunks))
    await asyncio.sleep(0)

    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await chunks.aclose()

    assert 0 == bus.listener_count


async def test_stream_listens_before_it_is_read() -> None:
    """A client acts as soon as it sees the answer's head: that must not be missed."""
    clock = FakeClock()
    bus = EventBus(clock)
    chunks = EventStream(bus, clock, EventQuery(wanted={}))

    bus.publish("container", "start", "a", {})

    assert ["start"] == [each["Action"] for each in lines(await anext(chunks))]


def test_since_after_until_is_refused() -> None:
    clock = FakeClock()
    query = EventQuery(since_ns=5 * 10**9, until_ns=4 * 10**9, wanted={})

    with pytest.raises(InvalidArgument, match=r"`since` time \(5\) cannot be after `until`"):
        EventStream(EventBus(clock), clock, query)


@pytest.mark.parametrize("legacy", [True, False])
async def test_old_versions_see_status_id_and_from(legacy: bool) -> None:
    clock = FakeClock()
    first_ns = clock.now_ns()
    bus = EventBus(clock)
    bus.publish("container", "start", "abc", {"image": "busybox"})
    bus.publish("volume", "create", "data", {"driver": "local"})
    clock.advance(1)
    query = EventQuery(since_ns=first_ns, until_ns=clock.now_ns(), wanted={}, legacy=legacy)

    container, volume = lines(await anext(EventStream(bus, clock, query)))

    expected = {"status": "start", "id": "abc", "from": "busybox"} if legacy else {}
    assert expected == {key: container[key] for key in ("status", "id", "from") if key in container}
    assert "status" not in volume


async def test_dropped_listener_ends_its_stream() -> None:
    clock = FakeClock()
    bus = EventBus(clock, backlog=2)
    chunks = EventStream(bus, clock, EventQuery(wanted={}))
    first = asyncio.ensure_future(anext(chunks))
    await asyncio.sleep(0)
    for turn in range(4):
        bus.publish("container", f"act{turn}", "a", {})

    told = [each["Action"] for each in lines(await first)]

    assert ["act0", "act1"] == told
    with pytest.raises(StopAsyncIteration):
        await anext(chunks)
