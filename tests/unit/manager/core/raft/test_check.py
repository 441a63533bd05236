"""What is refused at the door."""

from __future__ import annotations

from typing import Any

import pytest

from manager.core.raft.errors import LogCorrupt, MessageRefused
from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import (
    LOCAL_APPEND,
    ConfState,
    Entry,
    EntryId,
    HardState,
    MessageKind,
    Snapshot,
    SnapshotMeta,
)
from tests.fakes.raft_members import Lone, append, make_member, message

_VOTERS = ConfState(voters=(1, 2, 3))


def _snapshot(index: int, term: int, conf: ConfState = _VOTERS) -> Snapshot:
    return Snapshot(meta=SnapshotMeta(index=index, term=term, conf=conf))


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (MessageKind.HEARTBEAT, {"to": 3}),
        (MessageKind.HEARTBEAT, {"sender": 0}),
        (MessageKind.HEARTBEAT, {"sender": LOCAL_APPEND}),
        (MessageKind.HEARTBEAT, {"term": 0}),
        (MessageKind.VOTE, {"term": 0}),
        (MessageKind.PROPOSE, {"term": 2, "entries": (Entry(data=b"x"),)}),
        (MessageKind.PROPOSE, {"term": 0}),
        (MessageKind.APPEND_REPLY, {"sender": 9}),
        (MessageKind.VOTE_REPLY, {"sender": 9, "term": 9}),
        (MessageKind.STORAGE_APPEND, {}),
        (MessageKind.STORAGE_APPEND_REPLY, {"index": 1, "log_term": 1}),
        (MessageKind.STORAGE_APPLY_REPLY, {"entries": (Entry(term=1, index=1),)}),
        (MessageKind.STORAGE_APPLY_REPLY, {"sender": LOCAL_APPEND}),
        (MessageKind.SNAPSHOT, {}),
        (MessageKind.SNAPSHOT, {"snapshot": Snapshot()}),
        (MessageKind.SNAPSHOT, {"snapshot": _snapshot(5, 3)}),
        (
            MessageKind.SNAPSHOT,
            {"snapshot": _snapshot(5, 1, ConfState(voters=(1,), learners=(1,)))},
        ),
        (MessageKind.APPEND, {"log_term": 1, "index": 1, "entries": (Entry(term=1, index=3),)}),
        (MessageKind.APPEND, {"log_term": 1, "index": 1, "entries": (Entry(term=3, index=2),)}),
        (MessageKind.APPEND, {"log_term": 2, "index": 1, "entries": (Entry(term=1, index=2),)}),
    ],
)
def test_message_that_no_member_sends_is_refused_and_changes_nothing(
    kind: MessageKind, fields: dict[str, Any]
) -> None:
    """Not even the term, though some carry a newer one."""
    lone = Lone()
    before = lone.status()

    with pytest.raises(MessageRefused):
        lone.raft.step(message(kind, **fields))

    assert before == lone.status()
    assert not lone.raft.has_ready()


def test_second_leader_of_a_term_is_refused() -> None:
    """There is one at most; a second is a fault elsewhere that must not spread."""
    lone = Lone()
    lone.step(append((1, 1), 2))

    with pytest.raises(MessageRefused, match="3 claims to lead term 2, which 2 leads"):
        lone.raft.step(append((1, 1), 2, 2, sender=3))

    assert 2 == lone.status().last_index


def _entries(*terms: int, first: int = 1) -> list[Entry]:
    return [Entry(term=term, index=first + at) for at, term in enumerate(terms)]


@pytest.mark.parametrize(
    "log",
    [
        MemoryLog(HardState(term=2), _snapshot(5, 1), _entries(1, 1), start=EntryId(0, 0)),
        MemoryLog(HardState(term=2), _snapshot(2, 2), _entries(1, 1), start=EntryId(0, 0)),
        MemoryLog(HardState(term=2), _snapshot(2, 1), _entries(1, first=5), start=EntryId(1, 4)),
        MemoryLog(HardState(term=2, commit=4), entries=_entries(1, 1, 2)),
        MemoryLog(HardState(term=1), entries=_entries(1, 1, 2)),
        MemoryLog(HardState(), entries=_entries(1)),
        MemoryLog(HardState(), _snapshot(2, 3)),
        MemoryLog(HardState(term=2), _snapshot(2, 3)),
        MemoryLog(HardState(term=2), entries=_entries(2, 1)),
        MemoryLog(HardState(term=2), _snapshot(2, 1, ConfState(voters=(1,), learners=(1,)))),
    ],
    ids=[
        "ends before the snapshot",
        "another term than the snapshot",
        "begins after the snapshot",
        "ends before what was committed",
        "term of an entry was never reached",
        "hard state is lost",
        "hard state is lost, all is in the snapshot",
        "term of the snapshot was never reached",
        "terms fall",
        "membership makes no sense",
    ],
)
def test_storage_that_contradicts_itself_is_refused(log: MemoryLog) -> None:
    """Dropping what does not fit could drop what was acknowledged."""
    before = (log.first_index(), log.last_index(), log.snapshot(), log.initial_state())

    with pytest.raises(LogCorrupt, match="contradicts itself"):
        make_member(log=log)

    assert before == (log.first_index(), log.last_index(), log.snapshot(), log.initial_state())


def test_applied_past_what_was_committed_is_refused() -> None:
    """The state machine would be ahead of the log."""
    with pytest.raises(LogCorrupt, match="3 was applied, and only 2 committed"):
        make_member(
            log=MemoryLog(HardState(term=1, commit=2), entries=_entries(1, 1, 1)), applied=3
        )


def test_snapshot_proves_a_commit_that_was_not_stored() -> None:
    """The commit index may be lost in a crash, and is found again."""
    log = MemoryLog(HardState(term=1), _snapshot(2, 1), _entries(1, 1, 1), start=EntryId(0, 0))

    status = make_member(log=log).status()

    assert (2, 2, 3) == (status.hard_state.commit, status.applied, status.last_index)
