"""The leader's loops: begun on election, ended on the loss of leadership."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import structlog

from api.errors import Unavailable
from manager.ports.clock import Clock

log = structlog.get_logger(__name__)

Loop = Callable[[], Awaitable[None]]

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 10.0
# A loop that ran for so long has not failed in a row with the time before.
_SETTLED_S = 30.0


class Office(Protocol):
    """The leader's office, which this manager holds or not."""

    async def gained(self) -> int:
        """Return the term as soon as this manager leads in one."""
        ...

    async def lost(self, term: int) -> None:
        """Return as soon as this manager does not lead in this term any more."""
        ...


class Term:
    """What lives as long as this manager leads once. `close` is called at the end, always."""

    def __init__(self, loops: Mapping[str, Loop], close: Callable[[], None]) -> None:
        self.loops = loops
        self.close = close


async def lead(office: Office, begin: Callable[[], Term], clock: Clock) -> None:
    """Run the loops of a leader whenever this manager leads, until cancelled.

    A loop that fails is begun again after a pause: each looks at the whole state when it begins.
    """
    while True:
        number = await office.gained()
        log.info("leader.elected", term=number)
        term = begin()
        try:
            await _run(term, office.lost(number), clock)
        finally:
            term.close()
            log.info("leader.stepped_down", term=number)


async def _run(term: Term, lost: Awaitable[None], clock: Clock) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_supervised(name, loop, clock)) for name, loop in term.loops.items()
        ]
        await lost
        for task in tasks:
            task.cancel()


async def _supervised(name: str, loop: Loop, clock: Clock) -> None:
    failures = 0
    while True:
        began_s = clock.now_s()
        try:
            await loop()
        except Unavailable as error:
            log.info("loop.interrupted", loop=name, reason=error.message)
        except Exception:
            log.exception("loop.failed", loop=name)
        failures = 1 if clock.now_s() - began_s > _SETTLED_S else failures + 1
        await clock.sleep(min(_FIRST_PAUSE_S * 2**failures, _LONGEST_PAUSE_S))
