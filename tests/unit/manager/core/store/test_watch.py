"""Watchers are told what they asked for, once, in order, or that they missed something."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from api.types.tasks import TaskState
from manager.core.store.apply import Event
from manager.core.store.command import Action
from manager.core.store.entry import Change
from manager.core.store.errors import LaggedBehind
from manager.core.store.state import empty_state
from manager.core.store.tables import SERVICES, TASKS
from manager.core.store.watch import Mailbox, Match, Watchers
from tests.unit.manager.core.store.builders import applied, entry, service, task

WEB = service("s1", "web")


class Feed:
    """A state that is changed, and its watchers."""

    def __init__(self, history_events: int = 100) -> None:
        self.state = empty_state()
        self.watchers = Watchers(0, history_events)
        self.woken = 0

    def watch(self, *matches: Match[Any], **options: int) -> Mailbox:
        return self.watchers.add(matches, self.wake, **options)

    def wake(self) -> None:
        self.woken += 1

    def change(self, *changes: Change[object]) -> None:
        result = applied(self.state, entry(self.state, *changes), self.state.version + 1)
        self.state = result.state
        self.watchers.publish(result.state.version, result.events)


def create_task(object_id: str, node_id: str = "") -> Change[object]:
    return lambda tx: tx.tasks.create(task(object_id, WEB, node_id=node_id))


def move_task(object_id: str, node_id: str) -> Change[object]:
    return lambda tx: tx.tasks.update(replace(tx.tasks.need(object_id), node_id=node_id))


def ids(events: list[Event]) -> list[str]:
    return [event.object.id for event in events]


def test_the_events_of_a_command_come_as_one_list() -> None:
    feed = Feed()
    mailbox = feed.watch(Match(TASKS))

    feed.change(create_task("a"), create_task("b"), lambda tx: tx.services.create(WEB))
    feed.change(create_task("c"))

    assert [["a", "b"], ["c"], []] == [ids(mailbox.take()) for _ in range(3)]
    assert 1 == feed.woken


def test_a_watcher_of_several_kinds_sees_them_in_order() -> None:
    feed = Feed()
    mailbox = feed.watch(Match(TASKS), Match(SERVICES))

    feed.change(create_task("a"), lambda tx: tx.services.create(WEB), create_task("b"))

    assert ["a", "s1", "b"] == ids(mailbox.take())


def test_a_task_that_leaves_a_node_is_seen_there_a_last_time() -> None:
    feed = Feed()
    first, second = (feed.watch(Match(TASKS, keys={"node": n})) for n in ("n1", "n2"))

    feed.change(create_task("a", "n1"), create_task("b", "n3"))
    feed.change(move_task("a", "n2"))

    assert [["a"], ["a"]] == [ids(first.take()), ids(first.take())]
    assert [["a"], []] == [ids(second.take()), ids(second.take())]


def test_one_object_can_be_watched() -> None:
    feed = Feed()
    mailbox = feed.watch(Match(TASKS, id="b", actions=frozenset({Action.REMOVE})))
    feed.change(create_task("a"), create_task("b"))

    feed.change(lambda tx: tx.tasks.remove("a"), lambda tx: tx.tasks.remove("b"))

    (event,) = mailbox.take()
    assert ("b", Action.REMOVE, 2) == (event.object.id, event.action, event.version)


def test_a_predicate_sifts() -> None:
    feed = Feed()
    mailbox = feed.watch(
        Match(TASKS, where=lambda found: found.desired_state is TaskState.NEW and found.id > "a")
    )

    feed.change(create_task("a"), create_task("b"))

    assert ["b"] == ids(mailbox.take())


def test_two_matches_for_one_event_give_it_once() -> None:
    feed = Feed()
    mailbox = feed.watch(
        Match(TASKS, keys={"node": "n1"}), Match(TASKS, id="a"), Match(TASKS, keys={"node": "n2"})
    )
    feed.change(create_task("a", "n1"))

    feed.change(move_task("a", "n2"))

    assert [["a"], ["a"], []] == [ids(mailbox.take()) for _ in range(3)]


def test_the_past_is_replayed_from_a_version_on() -> None:
    feed = Feed()
    for name in "abc":
        feed.change(create_task(name))

    mailbox = feed.watch(Match(TASKS), since=1)
    feed.change(create_task("d"))

    assert [["b"], ["c"], ["d"]] == [ids(mailbox.take()) for _ in range(3)]


def test_a_past_that_is_forgotten_is_an_error() -> None:
    feed = Feed(history_events=2)
    for name in "abc":
        feed.change(create_task(name))

    assert ["b"] == ids(feed.watch(Match(TASKS), since=1).take())
    with pytest.raises(LaggedBehind, match="after version 0 are no longer kept"):
        feed.watch(Match(TASKS), since=0)


def test_a_slow_watcher_is_told_and_the_others_are_not_held_up() -> None:
    feed = Feed()
    slow = feed.watch(Match(TASKS), limit=2)
    other = feed.watch(Match(TASKS))

    for name in "abc":
        feed.change(create_task(name))

    with pytest.raises(LaggedBehind, match="more than 2 are waiting"):
        slow.take()
    assert [["a"], ["b"], ["c"]] == [ids(other.take()) for _ in range(3)]


def test_a_state_from_elsewhere_tells_everybody_to_look_anew() -> None:
    feed = Feed()
    broad, narrow = feed.watch(Match(TASKS)), feed.watch(Match(TASKS, id="a"))

    feed.watchers.restart(9)

    for mailbox in (broad, narrow):
        with pytest.raises(LaggedBehind, match="replaced as a whole"):
            mailbox.take()
    with pytest.raises(LaggedBehind):
        feed.watch(Match(TASKS), since=8)


@pytest.mark.parametrize(
    "matches",
    [
        (Match(TASKS),),
        (Match(TASKS, id="a"), Match(TASKS, keys={"node": "n1"})),
        (Match(TASKS), Match(SERVICES, id="s1")),
    ],
)
def test_who_is_removed_hears_no_more_and_leaves_nothing_behind(
    matches: tuple[Match[Any], ...],
) -> None:
    feed = Feed()
    mailbox = feed.watch(*matches)
    stays = feed.watch(*matches)

    feed.watchers.remove(mailbox)
    feed.change(create_task("a", "n1"))
    assert [] == mailbox.take()
    assert ["a"] == ids(stays.take())

    feed.watchers.remove(stays)
    assert not feed.watchers._broad
    assert not feed.watchers._narrow
    assert {} == {kind: used for kind, used in feed.watchers._indexes.items() if used}
