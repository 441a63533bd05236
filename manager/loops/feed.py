"""How a loop of the leader follows the store: it looks at all once, then at what changes.

A loop keeps no state of its own that it could not read off the store again: begun anew, on another
manager or after it fell behind, it looks at the whole.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import structlog

from manager.core.store.apply import Event
from manager.core.store.errors import LaggedBehind
from manager.core.store.query import View
from manager.core.store.watch import Match
from manager.ports.clock import Clock
from manager.ports.store import Changes, Store

log = structlog.get_logger(__name__)

NEVER = float("inf")


class Follower(Protocol):
    """What a loop does. Only `act` may await."""

    def look(self, view: View) -> None:
        """Forget what was known; take in the state as it is."""
        ...

    def take(self, event: Event) -> None:
        """Take in one change. `store.view()` is as of it or later."""
        ...

    async def act(self) -> float:
        """Do what is due; return in how many seconds to act again though nothing changes."""
        ...


async def follow(follower: Follower, store: Store, clock: Clock, *matches: Match[Any]) -> None:
    """Keep a follower informed and acting, until cancelled.

    It acts at once when idle; what changes while it acts is taken in together afterwards.
    """
    while True:
        try:
            with store.watch(*matches) as changes:
                follower.look(store.view())
                while True:
                    pause_s = await follower.act()
                    if pause_s > 0:
                        for event in await _news(changes, clock, pause_s):
                            follower.take(event)
                    else:
                        await asyncio.sleep(0)
                    for events in iter(changes.take, []):
                        for event in events:
                            follower.take(event)
        except LaggedBehind as error:
            log.warning("loop.lagged", loop=type(follower).__name__, reason=error.message)


async def _news(changes: Changes, clock: Clock, pause_s: float) -> list[Event]:
    """Return the next changes; [] when the pause is over before there are any."""
    if pause_s == NEVER:
        return await anext(changes)
    waiting = asyncio.ensure_future(_next(changes))
    pause = asyncio.ensure_future(clock.sleep(pause_s))
    try:
        await asyncio.wait({waiting, pause}, return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else []
    finally:
        await _dismiss(waiting, pause)


async def _next(changes: Changes) -> list[Event]:
    return await anext(changes)


async def _dismiss(*tasks: asyncio.Future[Any]) -> None:
    """Cancel what is not done and wait for its end, so that nobody else reads the changes."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
