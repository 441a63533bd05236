"""The event stream: published once, kept for a while, heard by many."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

import structlog

from api.types.events import EventActor, EventMessage
from engine.ports.clock import Clock

log = structlog.get_logger(__name__)

_HISTORY = 2048
_LISTENER_BACKLOG = 4096
_SECOND_NS = 1_000_000_000


class Listener:
    """One reader of the stream; made by `EventBus.listen`, left by `close`."""

    def __init__(self, bus: EventBus, limit: int) -> None:
        self._bus = bus
        self._limit = limit
        self._backlog: deque[EventMessage] = deque()
        self._news = asyncio.Event()
        self.dropped = False

    def offer(self, message: EventMessage) -> bool:
        """Queue an event; False when this listener has stopped reading and is given up."""
        if len(self._backlog) >= self._limit:
            self.dropped = True
            self._news.set()
            return False
        self._backlog.append(message)
        self._news.set()
        return True

    async def next(self) -> list[EventMessage]:
        """Return what came since the last call, oldest first; [] once this one was given up."""
        while not self._backlog:
            if self.dropped:
                return []
            self._news.clear()
            await self._news.wait()
        batch = list(self._backlog)
        self._backlog.clear()
        return batch

    def close(self) -> None:
        """Stop listening; fine if closed."""
        self._bus.forget(self)


class EventBus:
    """Every event of this engine in order of time; used from the event loop only."""

    def __init__(
        self, clock: Clock, *, history: int = _HISTORY, backlog: int = _LISTENER_BACKLOG
    ) -> None:
        self._clock = clock
        self._history: deque[EventMessage] = deque(maxlen=history)
        self._listeners: dict[Listener, None] = {}
        self._backlog = backlog
        self._last_ns = 0

    @property
    def listener_count(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    def now_ns(self) -> int:
        """Return the time by the clock that events are stamped with."""
        return self._clock.now_ns()

    def publish(
        self,
        kind: str,
        action: str,
        actor_id: str,
        attributes: Mapping[str, str],
        scope: str = "local",
    ) -> None:
        """Tell every listener that something happened now; never blocks, never raises.

        Times increase strictly, so that `since` with the time of the last event that a client
        saw neither repeats nor misses one of the same moment.
        """
        self._last_ns = max(self._clock.now_ns(), self._last_ns + 1)
        message = EventMessage(
            Type=kind,
            Action=action,
            Actor=EventActor(actor_id, dict(attributes)),
            scope=scope,
            time=self._last_ns // _SECOND_NS,
            timeNano=self._last_ns,
        )
        self._history.append(message)
        for listener in [each for each in self._listeners if not each.offer(message)]:
            log.warning("events.listener_dropped", backlog=self._backlog)
            self.forget(listener)

    def past(self, since_ns: int | None, until_ns: int | None) -> list[EventMessage]:
        """Return the events kept from `since_ns` to `until_ns`, both included, oldest first."""
        return [
            message
            for message in self._history
            if (since_ns is None or message.timeNano >= since_ns)
            and (until_ns is None or message.timeNano <= until_ns)
        ]

    def listen(self) -> Listener:
        """Return a listener that hears everything published from now on."""
        listener = Listener(self, self._backlog)
        self._listeners[listener] = None
        return listener

    def forget(self, listener: Listener) -> None:
        """Take a listener off; fine if it is off."""
        self._listeners.pop(listener, None)
