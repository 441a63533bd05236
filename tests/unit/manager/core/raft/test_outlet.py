"""Work for the driver, with and without workers of its own for storage."""

from __future__ import annotations

import pytest

from manager.core.raft.messages import (
    LOCAL_APPEND,
    LOCAL_APPLY,
    HardState,
    Message,
    MessageKind,
    Snapshot,
    SnapshotMeta,
)
from manager.core.raft.raft import Raft
from manager.core.raft.ready import Ready
from tests.fakes.raft_members import Lone, append, first_log, make_member, message


def _kinds(ready: Ready) -> list[MessageKind]:
    return [each.kind for each in ready.messages]


def _write(member: Raft, log_message: Message) -> None:
    """Give a storage worker's answers."""
    for each in log_message.responses:
        if each.to == 1:
            member.step(each)


def _follower() -> Raft:
    return make_member(log=first_log((1, 2, 3)), is_async_storage=True)


def test_nothing_is_due_at_first() -> None:
    """A start stores and sends nothing."""
    lone = Lone()

    assert not lone.raft.has_ready()
    assert Ready() == lone.raft.ready()


def test_work_is_given_once() -> None:
    """What is being done is not due any more."""
    lone = Lone()
    lone.raft.step(append((1, 1), 2))

    ready = lone.raft.ready()

    assert ready != Ready()
    assert not lone.raft.has_ready()


def test_work_before_must_be_advanced() -> None:
    """The driver would do things in the wrong order."""
    lone = Lone()
    lone.raft.step(append((1, 1), 2))
    lone.raft.ready()

    with pytest.raises(AssertionError, match="advanced"):
        lone.raft.ready()


@pytest.mark.parametrize(
    ("each", "must_sync"),
    [
        (append((1, 1), 2), True),
        (message(MessageKind.VOTE, log_term=1, index=1), True),
        (message(MessageKind.HEARTBEAT), True),
        (message(MessageKind.HEARTBEAT, term=1, commit=1), False),
    ],
)
def test_entries_votes_and_terms_need_the_disk(each: Message, must_sync: bool) -> None:
    """A commit index does not: it is found again."""
    lone = Lone()
    lone.log.set_hard_state(HardState(term=1))
    lone = Lone(lone.log)

    lone.raft.step(each)

    assert must_sync == lone.raft.ready().must_sync


def test_promises_ride_on_the_write() -> None:
    """They leave when the worker has written; everything else leaves at once."""
    member = _follower()
    member.step(append((1, 1), 2))

    (write,) = member.ready().messages

    assert (MessageKind.STORAGE_APPEND, LOCAL_APPEND, 2) == (write.kind, write.to, write.term)
    assert [2] == [entry.index for entry in write.entries]
    assert [(MessageKind.APPEND_REPLY, 2), (MessageKind.STORAGE_APPEND_REPLY, 1)] == [
        (each.kind, each.to) for each in write.responses
    ]


def test_entries_are_applied_only_once_they_are_stored() -> None:
    """The worker that applies may be faster than the one that stores."""
    log = first_log((1, 2, 3))
    member = make_member(log=log, is_async_storage=True)
    member.step(append((1, 1), 2, commit=2))
    first = member.ready()
    log.append(first.entries)
    is_applied_early = MessageKind.STORAGE_APPLY in _kinds(first)

    _write(member, first.messages[-1])
    second = member.ready()

    assert not is_applied_early
    assert [MessageKind.STORAGE_APPLY] == _kinds(second)
    assert LOCAL_APPLY == second.messages[0].to
    _write(member, second.messages[0])
    assert 2 == member.status().applied


def test_write_of_replaced_entries_confirms_nothing() -> None:
    """The entries that took their place are still on the way to the disk."""
    member = _follower()
    member.step(append((1, 1), 2))
    old = member.ready().messages[-1]
    member.step(append((1, 1), 3, term=3, sender=3))
    new = member.ready().messages[-1]

    _write(member, old)
    after_old = len(member._state.log.unstable.entries)
    _write(member, new)

    assert (1, 0) == (after_old, len(member._state.log.unstable.entries))


def test_write_of_an_older_term_confirms_a_snapshot_all_the_same() -> None:
    """What a snapshot holds is committed, whatever the term."""
    member = _follower()
    snapshot = Snapshot(
        meta=SnapshotMeta(index=9, term=2, conf=first_log((1, 2, 3)).initial_state()[1])
    )
    member.step(message(MessageKind.SNAPSHOT, snapshot=snapshot))
    write = member.ready().messages[-1]
    member.step(message(MessageKind.HEARTBEAT, term=3, sender=3))

    _write(member, write)

    assert snapshot == write.snapshot
    assert 9 == member.status().applied
    assert member._state.log.unstable.snapshot is None


def test_leader_sends_before_it_has_written() -> None:
    """Its followers write at the same time as it does (thesis §10.2.1)."""
    member = make_member(log=first_log((1, 2, 3)), is_async_storage=True)
    member.campaign()
    _write(member, member.ready().messages[-1])
    member.step(message(MessageKind.VOTE_REPLY, term=2))

    ready = member.ready()

    assert [MessageKind.APPEND, MessageKind.APPEND, MessageKind.STORAGE_APPEND] == _kinds(ready)
    member.step(message(MessageKind.APPEND_REPLY, term=2, index=2))
    assert 1 == member.status().hard_state.commit
    _write(member, ready.messages[-1])
    assert 2 == member.status().hard_state.commit


def test_lost_term_is_not_acknowledged_by_an_empty_write() -> None:
    """A write without a new hard state leaves the stored one alone."""
    member = _follower()
    member.step(append((1, 1), 2))
    _write(member, member.ready().messages[-1])
    member.step(append((2, 2), 2))

    write = member.ready().messages[-1]

    assert (0, 0, 0) == (write.term, write.vote, write.commit)
