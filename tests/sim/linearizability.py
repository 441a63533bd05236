"""Whether what clients saw can be explained by registers that do one thing at a time.

The search is Wing and Gong's with Lowe's memory of what was tried: operations are put in an order
that keeps to real time (what ended before another began comes before it) and to what a register
does. Registers are independent, so each is searched by itself. An operation whose outcome is
unknown may take effect at any time after it began, or never: it never ends.
Source: J. M. Wing, C. Gong, "Testing and verifying concurrent objects", 1993; G. Lowe, "Testing for
linearizability", 2017.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

UNKNOWN = None
NEVER = math.inf


@dataclass(frozen=True, slots=True)
class Operation:
    """What one client did, and when.

    value:    what was written, or what was read.
    expected: of a swap: what had to be there for `value` to be written.
    is_done:  of a swap: whether it was written; UNKNOWN if nobody can tell.
    end:      NEVER for a write or a swap whose outcome is unknown.
    """

    kind: Literal["read", "write", "swap"]
    key: str
    value: int
    begin: float
    end: float
    expected: int = 0
    is_done: bool | None = UNKNOWN

    def after(self, state: int) -> int | None:
        """Return the register's next value, None if this cannot happen with the present one."""
        match self.kind:
            case "read":
                return state if state == self.value else None
            case "write":
                return self.value
            case "swap":
                can = state == self.expected
                if self.is_done is not UNKNOWN and self.is_done != can:
                    return None
                return self.value if can else state


@dataclass(frozen=True, slots=True)
class Violation:
    """A register that did something impossible: its operations around the first dead end."""

    key: str
    operations: tuple[Operation, ...]


class Undecided(Exception):
    """The search was given up: too many operations overlap."""


def check(
    history: Iterable[Operation], initial: int = 0, limit: int = 2_000_000
) -> Violation | None:
    """Return None if the history is linearizable, else what is not. Errors: Undecided."""
    by_key: dict[str, list[Operation]] = defaultdict(list)
    for operation in history:
        by_key[operation.key].append(operation)
    for key, operations in sorted(by_key.items()):
        dead_end = _search(operations, initial, limit)
        if dead_end is not None:
            return Violation(key, tuple(_around(operations, dead_end)))
    return None


class _Event:
    """The begin or the end of an operation, in a doubly linked list."""

    __slots__ = ("after", "before", "end", "number", "operation")

    def __init__(self, number: int, operation: Operation) -> None:
        self.number = number
        self.operation = operation
        self.end: _Event | None = None  # of a begin: the event of its end
        self.before: _Event | None = None
        self.after: _Event | None = None


def _linked(operations: list[Operation]) -> _Event:
    """Return a head, before the events in order of time; of equal times the begin comes first."""
    timed: list[tuple[float, int, _Event]] = []
    for number, operation in enumerate(operations):
        begin, end = _Event(number, operation), _Event(number, operation)
        begin.end = end
        timed += [(operation.begin, 0, begin), (operation.end, 1, end)]
    timed.sort(key=lambda each: each[:2])
    head = last = _Event(-1, operations[0])
    for _, _, event in timed:
        last.after, event.before = event, last
        last = event
    return head


def _lift(begin: _Event) -> None:
    """Take an operation out of the list."""
    for event in (begin, begin.end):
        assert event is not None
        assert event.before is not None
        event.before.after = event.after
        if event.after is not None:
            event.after.before = event.before


def _unlift(begin: _Event) -> None:
    """Put it back."""
    for event in (begin.end, begin):
        assert event is not None
        assert event.before is not None
        event.before.after = event
        if event.after is not None:
            event.after.before = event


def _search(operations: list[Operation], state: int, limit: int) -> float | None:
    """Return None if there is an order, else the time up to which there is one at most."""
    head = _linked(operations)
    done, tried = 0, {(0, state)}
    way: list[tuple[_Event, int]] = []
    furthest = -math.inf
    event = head.after
    while head.after is not None:
        limit -= 1
        if limit < 0:
            raise Undecided
        assert event is not None
        if event.end is not None:
            following = event.operation.after(state)
            bit = 1 << event.number
            if following is not None and (done | bit, following) not in tried:
                tried.add((done | bit, following))
                way.append((event, state))
                state, done = following, done | bit
                _lift(event)
                event = head.after
            else:
                event = event.after
        else:
            # Something ended that fits nowhere before: go back.
            furthest = max(furthest, event.operation.end)
            if event.operation.end == NEVER:
                return None  # all that is left may never have taken effect
            if not way:
                return furthest
            event, state = way.pop()
            done &= ~(1 << event.number)
            _unlift(event)
            event = event.after
    return None


def _around(operations: list[Operation], time: float) -> list[Operation]:
    """Return the operations that overlap a time, and the last few before it."""
    began = sorted((each for each in operations if each.begin <= time), key=lambda each: each.end)
    return began[-12:]
