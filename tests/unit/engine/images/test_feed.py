"""Progress on its way: in order, thinned, bounded."""

from __future__ import annotations

import asyncio
import json

from engine.images.feed import ProgressFeed
from tests.fakes.clock import FakeClock


async def gathered(feed: ProgressFeed) -> list[str]:
    """End a feed and return what it says as `status current`."""
    feed.end()
    text = b"".join([part async for part in feed.batches()])
    lines = [json.loads(line) for line in text.splitlines()]
    return [f"{each['status']} {each.get('progressDetail', {}).get('current', '')}".strip()
            for each in lines]  # fmt: skip


async def test_lines_come_in_order() -> None:
    """Nothing is lost."""
    feed = ProgressFeed(FakeClock())
    feed.say("Pulling")
    feed.step("Waiting", "a")
    feed.move("Downloading", "a", 1, 9)
    feed.step("Pull complete", "a")

    assert ["Pulling", "Waiting", "Downloading 1", "Pull complete"] == await gathered(feed)


async def test_a_client_that_does_not_read_is_sent_the_last_place() -> None:
    """However long the download takes meanwhile."""
    clock = FakeClock()
    feed = ProgressFeed(clock)
    for current in range(1, 1000):
        feed.move("Downloading", "a", current, 9999)
        clock.advance(1)

    assert ["Downloading 999"] == await gathered(feed)


async def test_a_bar_moves_ten_times_a_second_at_most() -> None:
    """And is always sent when it is full."""
    clock = FakeClock()
    feed = ProgressFeed(clock)
    batches = feed.batches()
    seen = []
    for current in range(1, 101):
        feed.move("Downloading", "a", current, 100)
        clock.advance(0.01)
        if current in {1, 50, 100}:
            seen.append(json.loads(await anext(batches))["progressDetail"]["current"])

    assert 100 == seen[-1]
    assert 1 == seen[0]
    assert 41 <= seen[1] <= 50


async def test_a_feed_that_ends_empty_ends_its_reader() -> None:
    """A pull that was refused."""
    feed = ProgressFeed(FakeClock())
    reader = asyncio.create_task(gathered(feed))

    assert [] == await reader
