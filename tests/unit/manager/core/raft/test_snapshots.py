"""Members that lag behind what the log still has."""

from __future__ import annotations

import pytest

from manager.core.raft.errors import SnapshotUnavailable
from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import (
    ChangeKind,
    ConfChange,
    ConfChangeSingle,
    ConfState,
    HardState,
    MessageKind,
    Snapshot,
    SnapshotMeta,
)
from manager.core.raft.status import ProgressKind, Role
from tests.fakes.raft_members import Lone, Members, append, message

_CONF = ConfState(voters=(1, 2, 3))


def _snapshot(index: int, term: int = 2, conf: ConfState = _CONF) -> Snapshot:
    return Snapshot(meta=SnapshotMeta(index=index, term=term, conf=conf), data=b"state")


def _behind() -> Members:
    """Return a cluster whose member 3 lacks entries that the leader compacted."""
    cluster = Members()
    cluster.elect(1)
    cluster.cut_off(3)
    for _ in range(5):
        cluster[1].propose(b"x")
    cluster.settle()
    cluster.logs[1].create_snapshot(7, _CONF, b"state")
    cluster.logs[1].compact(6)
    cluster.heal()
    return cluster


def test_member_far_behind_gets_the_snapshot_and_then_entries() -> None:
    """And is at full speed again after it."""
    cluster = _behind()
    cluster[1].propose(b"y")

    cluster.tick(1, 3)

    snapshots = [each for each in cluster.sent if each.kind is MessageKind.SNAPSHOT]
    assert [(3, 7)] == [(each.to, each.snapshot.meta.index) for each in snapshots if each.snapshot]
    assert (7, b"state") == (cluster.logs[3].snapshot().meta.index, cluster.logs[3].snapshot().data)
    assert [b"y"] == cluster.data(3)
    assert ProgressKind.REPLICATE is cluster[1].status().peers[3].kind


def test_member_that_was_not_heard_of_gets_no_snapshot() -> None:
    """It would be a lot of data for nobody."""
    cluster = _behind()
    cluster.cut_off(3)

    cluster.tick(1, 30)
    cluster[1].report_unreachable(3)
    cluster[1].propose(b"y")
    cluster.settle()

    assert MessageKind.SNAPSHOT not in {each.kind for each in cluster.sent}
    assert not cluster[1].status().peers[3].is_active


def test_snapshot_that_cannot_be_had_now_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Storage may be busy making one."""

    def refuse(_log: MemoryLog) -> Snapshot:
        raise SnapshotUnavailable

    cluster = _behind()
    with monkeypatch.context() as patch:
        patch.setattr(MemoryLog, "snapshot", refuse)
        cluster.tick(1, 3)
    kinds_before = {each.kind for each in cluster.sent}
    cluster.tick(1, 3)

    assert MessageKind.SNAPSHOT not in kinds_before
    assert 7 == cluster.logs[3].snapshot().meta.index


def test_failed_snapshot_is_sent_again_after_a_heartbeat() -> None:
    """The transport tells; without it the leader would wait for ever."""
    cluster = _behind()
    cluster.is_lost = lambda each: each.kind is MessageKind.SNAPSHOT
    cluster.tick(1, 5)
    count = sum(each.kind is MessageKind.SNAPSHOT for each in cluster.sent)
    cluster.heal()

    for id_ in (3, 2, 9):
        cluster[1].report_snapshot(id_, is_ok=False)
    peer = cluster[1].status().peers[3]
    cluster.tick(1, 2)

    assert (1, peer.match + 1) == (count, peer.next)
    assert 7 == cluster.logs[3].snapshot().meta.index


def test_sent_snapshot_waits_for_the_answer() -> None:
    """Entries after it would only be rejected before it is restored."""
    cluster = _behind()
    cluster.is_lost = lambda each: each.kind is MessageKind.SNAPSHOT
    cluster.tick(1, 5)

    cluster[1].report_snapshot(3, is_ok=True)

    peer = cluster[1].status().peers[3]
    assert (ProgressKind.PROBE, 8, True) == (peer.kind, peer.next, peer.is_paused)


def test_snapshot_is_stored_before_it_is_acknowledged() -> None:
    """With the commit index that it brings."""
    lone = Lone()
    lone.raft.step(message(MessageKind.SNAPSHOT, snapshot=_snapshot(9)))

    ready = lone.raft.ready()

    assert _snapshot(9) == ready.snapshot
    assert HardState(term=2, commit=9) == ready.hard_state
    assert [(MessageKind.APPEND_REPLY, 9)] == [(each.kind, each.index) for each in ready.messages]
    assert () == ready.entries


def test_snapshot_brings_its_membership() -> None:
    """Members that it does not name are none."""
    lone = Lone()

    lone.step(
        message(MessageKind.SNAPSHOT, snapshot=_snapshot(9, conf=ConfState(voters=(1, 2, 4))))
    )

    assert (1, 2, 4) == lone.status().conf.voters
    assert (9, 9, 10) == (
        lone.status().hard_state.commit,
        lone.status().applied,
        lone.status().first_index,
    )


def test_snapshot_of_what_is_committed_changes_nothing() -> None:
    """The log and the commit index never fall back."""
    lone = Lone()
    lone.step(append((1, 1), 2, 2, 2, commit=4))

    sent = lone.step(message(MessageKind.SNAPSHOT, snapshot=_snapshot(3)))

    assert [(MessageKind.APPEND_REPLY, 4)] == [(each.kind, each.index) for each in sent]
    assert (4, 4) == (lone.status().last_index, lone.status().hard_state.commit)
    assert 1 == lone.log.snapshot().meta.index


def test_snapshot_of_entries_that_are_here_only_commits_them() -> None:
    """What follows them stays: it may have been acknowledged."""
    lone = Lone()
    lone.step(append((1, 1), 2, 2, 2))

    sent = lone.step(message(MessageKind.SNAPSHOT, snapshot=_snapshot(3)))

    assert [3] == [each.index for each in sent]
    assert (4, 3) == (lone.status().last_index, lone.status().hard_state.commit)
    assert 1 == lone.log.snapshot().meta.index


def test_snapshot_that_conflicts_with_the_log_replaces_it() -> None:
    """A commit index is raised by a snapshot only where the terms agree, or with its state."""
    lone = Lone()
    lone.step(append((1, 1), 2, 2, 2))

    lone.step(message(MessageKind.SNAPSHOT, term=3, snapshot=_snapshot(3, term=3)))

    assert (3, 3) == (lone.status().last_index, lone.status().hard_state.commit)
    assert 3 == lone.log.snapshot().meta.index


def test_snapshot_without_this_member_is_ignored() -> None:
    """It was meant for somebody else, or from before this one joined."""
    lone = Lone()

    lone.step(message(MessageKind.SNAPSHOT, snapshot=_snapshot(9, conf=ConfState(voters=(2, 3)))))

    assert 1 == lone.status().last_index


def test_nobody_stands_for_election_before_the_snapshot_is_restored() -> None:
    """Its membership and state are not in force yet."""
    lone = Lone()
    lone.raft.step(message(MessageKind.SNAPSHOT, snapshot=_snapshot(9)))

    lone.raft.campaign()
    role_before = lone.status().soft_state.role
    lone.drain()
    lone.raft.campaign()

    assert (Role.FOLLOWER, Role.CANDIDATE) == (role_before, lone.status().soft_state.role)


def test_entries_may_follow_a_snapshot_before_it_is_restored() -> None:
    """They are applied after it."""
    lone = Lone()
    lone.raft.step(message(MessageKind.SNAPSHOT, snapshot=_snapshot(9)))
    ready = lone.raft.ready()
    lone.raft.step(append((2, 9), 2, 2, commit=11))

    assert () == ready.committed
    lone.log.apply_snapshot(_snapshot(9))
    lone.raft.advance()
    after = lone.raft.ready()
    assert [10, 11] == [entry.index for entry in after.entries]
    assert [10, 11] == [entry.index for entry in after.committed]


def test_snapshot_from_before_a_member_was_added_is_not_sent_there() -> None:
    """It would be ignored, so the leader waits for a newer one."""
    cluster = Members()
    cluster.elect(1)
    cluster.add(4)
    cluster.makes_snapshots = False
    change = ConfChange((ConfChangeSingle(ChangeKind.ADD_LEARNER, 4),))
    cluster[1].propose_conf_change(change)
    cluster.tick(1, 3)
    kinds_before = {each.kind for each in cluster.sent}

    conf = cluster[1].status().conf
    cluster.logs[1].create_snapshot(3, conf, b"state")
    cluster.tick(1, 3)

    assert MessageKind.SNAPSHOT not in kinds_before
    assert (4,) == cluster[4].status().conf.learners
    assert ProgressKind.REPLICATE is cluster[1].status().peers[4].kind


def test_acknowledgement_below_what_the_log_has_does_not_end_the_wait() -> None:
    """Entries after it are gone: only the snapshot helps."""
    cluster = _behind()
    cluster.is_lost = lambda each: each.kind is MessageKind.SNAPSHOT
    cluster.tick(1, 5)
    term = cluster[1].status().hard_state.term

    cluster[1].step(message(MessageKind.APPEND_REPLY, sender=3, term=term, index=4))

    cluster.settle()

    peer = cluster[1].status().peers[3]
    assert (ProgressKind.SNAPSHOT, 4) == (peer.kind, peer.match)
    assert 1 == sum(each.kind is MessageKind.SNAPSHOT for each in cluster.sent)


def test_snapshot_older_than_the_log_changes_nothing() -> None:
    """Its last entry was compacted here already."""
    lone = Lone()
    lone.step(append((1, 1), 2, 2, 2, commit=4))
    lone.log.create_snapshot(4, _CONF, b"")
    lone.log.compact(4)

    sent = lone.step(message(MessageKind.SNAPSHOT, snapshot=_snapshot(2)))

    assert [4] == [each.index for each in sent]
    assert (4, 4) == (lone.status().last_index, lone.status().hard_state.commit)
