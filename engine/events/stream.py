"""Tell a client what happened and what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from api.errors import InvalidArgument
from api.types.events import EventMessage
from engine.core.event_filters import Wanted, select
from engine.events.bus import EventBus, Listener
from engine.ports.clock import Clock

_ENCODER = msgspec.json.Encoder()
_SECOND_NS = 1_000_000_000
_LEGACY = frozenset({"container", "image"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """What a client asked for; times are nanoseconds since the epoch, None where not given.

    `legacy` repeats action and actor as `status`, `id` and `from` (API before 1.52).
    """

    since_ns: int | None = None
    until_ns: int | None = None
    wanted: Wanted
    legacy: bool = False


class EventStream:
    """JSON lines: the history from `since` on, then what comes, until `until`.

    Without `since` there is no history; an `until` in the past ends the stream after it.
    It listens from its making on, before any answer goes out: a client that has seen the head of
    the answer misses nothing that it does next. History and news are taken in one step, so that
    nothing is missed or told twice between them. A client that does not read is dropped: its
    stream ends. To be closed by `aclose`.
    Errors:  InvalidArgument when `since` is after `until`.
    """

    def __init__(self, bus: EventBus, clock: Clock, query: EventQuery) -> None:
        _check(query)
        self._clock = clock
        self._query = query
        self._passes = select(query.wanted)
        self._past: list[EventMessage] = []
        if query.since_ns is not None:
            self._past = bus.past(query.since_ns, query.until_ns)
        self._listener = bus.listen()

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> bytes:
        batch, self._past = self._past, []
        while True:
            if wanted := [message for message in batch if self._passes(message)]:
                return _encode(wanted, legacy=self._query.legacy)
            batch = await _next(self._listener, self._clock, self._query.until_ns)
            if not batch:
                raise StopAsyncIteration

    async def aclose(self) -> None:
        """Stop listening; fine if closed."""
        self._listener.close()


def _check(query: EventQuery) -> None:
    since, until = query.since_ns, query.until_ns
    if since is not None and until is not None and since > until:
        msg = (
            f"`since` time ({since // _SECOND_NS}) cannot be after "
            f"`until` time ({until // _SECOND_NS})"
        )
        raise InvalidArgument(msg)


async def _next(listener: Listener, clock: Clock, until_ns: int | None) -> list[EventMessage]:
    """Return the next events up to `until`; [] at the end of the stream."""
    if until_ns is None:
        return await listener.next()
    remaining_s = (until_ns - clock.now_ns()) / _SECOND_NS
    if remaining_s <= 0:
        return []
    try:
        async with asyncio.timeout(remaining_s):
            batch = await listener.next()
    except TimeoutError:
        return []
    return [message for message in batch if message.timeNano <= until_ns]


def _encode(messages: Iterable[EventMessage], *, legacy: bool) -> bytes:
    if legacy:
        messages = map(_with_legacy_fields, messages)
    return _ENCODER.encode_lines(messages)


def _with_legacy_fields(message: EventMessage) -> EventMessage:
    if message.Type not in _LEGACY:
        return message
    repeated: dict[str, str] = {"status": message.Action, "id": message.Actor.ID}
    image = message.Actor.Attributes.get("image")
    if message.Type == "container" and image:
        repeated["from_"] = image
    return msgspec.structs.replace(message, **repeated)
