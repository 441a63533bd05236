"""Who wants to know of which changes, and a bounded past for those who come late.

Publishing costs by events and by watchers that match, not by events times watchers: watchers of
whole kinds are given one list that they share and sift it themselves when they read; watchers of
one id or one index key are found by that key.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeAlias

from manager.core.store.apply import Event
from manager.core.store.command import Action
from manager.core.store.errors import LaggedBehind
from manager.core.store.tables import TABLES, T, Table

HISTORY_EVENTS: Final = 2_000
PENDING_EVENTS: Final = 50_000

ANY_ACTION: Final = frozenset(Action)

Key: TypeAlias = tuple[str, str, str]
"""Kind, index and key; for one object the index is "id"."""


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    """Which events are wanted: of a table, of these actions, by id, by index keys, by predicate.

    keys name indexes of the table. An object has a key when it has it after or had it before the
    change: so a task that leaves a node is seen by the watcher of that node. `where` is asked when
    the watcher reads, not when the store writes.
    """

    table: Table[T]
    actions: frozenset[Action] = ANY_ACTION
    id: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    where: Callable[[T], bool] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all events of the table are wanted."""
        return (
            self.actions == ANY_ACTION and self.id is None and not self.keys and self.where is None
        )

    def accepts(self, event: Event) -> bool:
        """Tell whether this event is wanted."""
        return (
            event.kind == self.table.kind
            and event.action in self.actions
            and (self.id is None or event.object.id == self.id)
            and all(key in _keys(self.table, name, event) for name, key in self._folded())
            and (self.where is None or self.where(event.object))
        )

    def route(self) -> Key | None:
        """Return what the watcher is found by; None when it wants to see the whole kind."""
        if self.id is not None:
            return (self.table.kind, "id", self.id)
        for name, key in self._folded():
            return (self.table.kind, name, key)
        return None

    def _folded(self) -> Iterable[tuple[str, str]]:
        for name, key in self.keys.items():
            yield name, key.lower() if self.table.indexes[name].is_folded else key


class Mailbox:
    """What a watcher has not read yet: the events of one command each. Bounded.

    wake is called when there is something to read where there was nothing.
    Law:  what is put is of the kinds that the watcher names. Watchers of whole kinds share lists
    of events, which nobody changes.
    """

    def __init__(self, matches: Sequence[Match[Any]], wake: Callable[[], None], limit: int) -> None:
        self.matches = tuple(matches)
        self._whole_kinds = frozenset(each.table.kind for each in matches if each.is_whole)
        self._is_whole = all(each.is_whole for each in matches)
        self._wake = wake
        self._limit = limit
        self._pending: deque[list[Event]] = deque()
        self._count = 0
        self._lost: str | None = None

    def put(self, events: list[Event]) -> None:
        """Add the events of a command; when there are too many, keep none and say so later."""
        if self._lost is not None:
            return
        if self._count + len(events) > self._limit:
            self.lose(f"more than {self._limit} are waiting to be read")
            return
        self._pending.append(events)
        self._count += len(events)
        if len(self._pending) == 1:
            self._wake()

    def lose(self, reason: str) -> None:
        """Drop what is pending: the watcher cannot be told all that happened."""
        self._lost = reason
        self._pending.clear()
        self._count = 0
        self._wake()

    def take(self) -> list[Event]:
        """Return the wanted events of the oldest command that has some; [] when nothing is left.

        Errors:  LaggedBehind.
        """
        if self._lost is not None:
            raise LaggedBehind(self._lost)
        while self._pending:
            events = self._pending.popleft()
            self._count -= len(events)
            if self._is_whole:
                return events
            if wanted := [event for event in events if self._accepts(event)]:
                return wanted
        return []

    def _accepts(self, event: Event) -> bool:
        if event.kind in self._whole_kinds:
            return True
        return any(match.accepts(event) for match in self.matches)


class Watchers:
    """All mailboxes, and the latest events. `start` is the version that the past begins after."""

    def __init__(self, start: int, history_events: int = HISTORY_EVENTS) -> None:
        self._floor = start
        self._history: deque[tuple[int, Sequence[Event]]] = deque()
        self._history_events = history_events
        self._kept = 0
        self._broad: dict[frozenset[str], dict[Mailbox, None]] = {}
        self._narrow: dict[Key, dict[Mailbox, None]] = {}
        self._indexes: dict[str, dict[str, int]] = {}

    def add(
        self,
        matches: Sequence[Match[Any]],
        wake: Callable[[], None],
        *,
        since: int | None = None,
        limit: int = PENDING_EVENTS,
    ) -> Mailbox:
        """Return a mailbox of what comes from now on, or of all after the version `since`.

        Errors:  LaggedBehind when the past does not reach back that far.
        """
        assert matches, "a watcher watches something"
        mailbox = Mailbox(matches, wake, limit)
        if since is not None:
            self._replay(mailbox, since)
        routes = [match.route() for match in matches]
        if None in routes:
            self._broad.setdefault(_kinds(mailbox), {})[mailbox] = None
        else:
            for route in routes:
                assert route is not None
                self._narrow.setdefault(route, {})[mailbox] = None
                self._count_index(route, 1)
        return mailbox

    def remove(self, mailbox: Mailbox) -> None:
        """Forget a mailbox."""
        kinds = _kinds(mailbox)
        if self._broad.get(kinds, {}).pop(mailbox, mailbox) is None:
            if not self._broad[kinds]:
                del self._broad[kinds]
            return
        for match in mailbox.matches:
            route = match.route()
            if route is not None and mailbox in self._narrow.get(route, {}):
                del self._narrow[route][mailbox]
                if not self._narrow[route]:
                    del self._narrow[route]
            if route is not None:
                self._count_index(route, -1)

    def publish(self, version: int, events: Sequence[Event]) -> None:
        """Hand the events of a command to those who want them. Never waits for any of them."""
        if not events:
            return
        self._remember(version, events)
        for kinds, mailboxes in self._broad.items():
            if found := [event for event in events if event.kind in kinds]:
                for mailbox in mailboxes:
                    mailbox.put(found)
        if self._narrow:
            self._publish_narrow(events)

    def restart(self, version: int) -> None:
        """Begin anew at a state that came from elsewhere: everybody missed something."""
        self._floor = version
        self._history.clear()
        self._kept = 0
        everyone = [*self._broad.values(), *self._narrow.values()]
        for mailbox in {mailbox: None for group in everyone for mailbox in group}:
            mailbox.lose("the state was replaced as a whole")

    def _publish_narrow(self, events: Sequence[Event]) -> None:
        found: dict[Mailbox, list[Event]] = {}
        for event in events:
            for route in self._routes(event):
                for mailbox in self._narrow.get(route, ()):
                    wanted = found.setdefault(mailbox, [])
                    if not wanted or wanted[-1] is not event:
                        wanted.append(event)
        for mailbox, wanted in found.items():
            mailbox.put(wanted)

    def _routes(self, event: Event) -> Iterable[Key]:
        table = TABLES[event.kind]
        for name in self._indexes.get(event.kind, ()):
            if name == "id":
                yield (event.kind, name, event.object.id)
            else:
                for key in dict.fromkeys(_keys(table, name, event)):
                    yield (event.kind, name, key)

    def _count_index(self, route: Key, change: int) -> None:
        kind, name, _ = route
        used = self._indexes.setdefault(kind, {})
        used[name] = used.get(name, 0) + change
        if not used[name]:
            del used[name]

    def _remember(self, version: int, events: Sequence[Event]) -> None:
        self._history.append((version, events))
        self._kept += len(events)
        while self._kept > self._history_events:
            self._floor, forgotten = self._history.popleft()
            self._kept -= len(forgotten)

    def _replay(self, mailbox: Mailbox, since: int) -> None:
        if since < self._floor:
            raise LaggedBehind(f"those after version {since} are no longer kept")
        kinds = _kinds(mailbox)
        for version, events in self._history:
            if version > since and (found := [each for each in events if each.kind in kinds]):
                mailbox.put(found)


def _kinds(mailbox: Mailbox) -> frozenset[str]:
    return frozenset(match.table.kind for match in mailbox.matches)


def _keys(table: Table[Any], name: str, event: Event) -> Sequence[str]:
    """Return the keys that the object has or had."""
    keys = table.indexes[name].keys
    if event.old is None or event.old is event.object:
        return keys(event.object)
    return [*keys(event.object), *keys(event.old)]
