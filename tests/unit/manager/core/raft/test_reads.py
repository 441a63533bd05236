"""Linearizable reads."""

from __future__ import annotations

import pytest

from manager.core.raft.config import ReadMode
from manager.core.raft.errors import ProposalDropped
from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import (
    ConfState,
    Entry,
    HardState,
    MessageKind,
    Snapshot,
    SnapshotMeta,
)
from tests.fakes.raft_members import Lone, Members, first_log, message


def test_read_waits_until_a_quorum_confirms_the_leader() -> None:
    """A leader that was deposed unknowingly must not answer (thesis §6.4)."""
    cluster = Members()
    cluster.elect(1)
    cluster.cut_off(1)

    cluster[1].read_index(b"r")
    cluster.settle()
    before = list(cluster.reads[1])
    cluster.heal()
    cluster.tick(1)

    assert [] == before
    assert [(2, b"r")] == cluster.reads[1]


def test_follower_asks_the_leader() -> None:
    """So any member can serve reads."""
    cluster = Members()
    cluster.elect(1)
    cluster[1].propose(b"a")
    cluster.settle()

    cluster[3].read_index(b"r")
    cluster.settle()

    assert [(3, b"r")] == cluster.reads[3]
    assert [] == cluster.reads[1]


def test_reads_of_two_members_with_one_context_are_two() -> None:
    """Contexts are the askers' own."""
    cluster = Members()
    cluster.elect(1)

    cluster[2].read_index(b"r")
    cluster[3].read_index(b"r")
    cluster.settle()

    assert [(2, b"r")] == cluster.reads[2] == cluster.reads[3]


def test_confirmation_answers_all_that_were_asked_before() -> None:
    """One round of heartbeats is enough for many."""
    lone = Lone()
    lone.lead()
    lone.step(message(MessageKind.APPEND_REPLY, term=2, index=2))
    for context in (b"a", b"b", b"c"):
        lone.raft.read_index(context)
    beats = [each for each in lone.drain() if each.to == 2]

    lone.raft.step(message(MessageKind.HEARTBEAT_REPLY, term=2, context=beats[1].context))

    reads = lone.raft.ready().read_states
    assert [b"a", b"b"] == [read.context for read in reads]


def test_answer_of_one_member_is_counted_once() -> None:
    """Three answers of one are not a quorum of five."""
    cluster = Members(voters=5)
    cluster.elect(1)
    cluster.is_lost = lambda each: each.kind is MessageKind.HEARTBEAT and each.to != 2
    for _ in range(3):
        cluster[1].read_index(b"r")
        cluster.settle()

    assert [] == cluster.reads[1]


def test_read_waits_for_the_first_commit_of_the_term() -> None:
    """Before it, the leader may not know what a former one acknowledged."""
    cluster = Members()
    cluster.is_lost = lambda each: each.kind is MessageKind.APPEND
    cluster.elect(1)

    cluster[1].read_index(b"r")
    cluster.settle()
    before = list(cluster.reads[1])
    cluster.heal()
    cluster.tick(1, 2)

    assert [] == before
    assert [(2, b"r")] == cluster.reads[1]


def test_single_voter_too_waits_for_its_first_commit() -> None:
    """Its commit index may have been lost in a crash, after it was acknowledged."""
    meta = SnapshotMeta(index=1, term=1, conf=ConfState(voters=(1,)))
    log = MemoryLog(HardState(term=1, commit=1), Snapshot(meta=meta), [Entry(term=1, index=2)])
    lone = Lone(log)
    lone.raft.campaign()
    lone.raft.ready()
    lone.raft.advance()

    lone.raft.read_index(b"r")
    before = lone.raft._state.read_states
    lone.log.append(lone.raft.ready().entries)
    lone.raft.advance()

    assert [] == before
    assert [(3, b"r")] == [(each.index, each.context) for each in lone.raft.ready().read_states]


def test_reads_that_wait_are_lost_with_leadership() -> None:
    """They are asked again, of the new leader."""
    cluster = Members()
    cluster.elect(1)
    cluster.cut_off(1)
    cluster[1].read_index(b"r")
    cluster.tick(1, 30)
    cluster.heal()
    cluster.tick(2, 30)
    cluster.tick(2, 3)

    assert [] == cluster.reads[1]


def test_read_without_a_leader_is_refused() -> None:
    """Rather than left without an answer."""
    with pytest.raises(ProposalDropped, match="no leader"):
        Lone().raft.read_index(b"r")


def test_lease_answers_at_once() -> None:
    """On the word of the clock."""
    cluster = Members(read_mode=ReadMode.LEASE)
    cluster.elect(1)
    cluster.cut_off(1)

    cluster[1].read_index(b"r")
    cluster.settle()

    assert [(2, b"r")] == cluster.reads[1]


def test_lease_ends_when_leadership_is_handed_over() -> None:
    """The next leader is voted for within the lease."""
    cluster = Members(read_mode=ReadMode.LEASE)
    cluster.elect(1)
    cluster.is_lost = lambda each: each.kind is MessageKind.TIMEOUT_NOW
    cluster[1].transfer_leader(2)
    cluster.settle()
    cluster.cut_off(1)

    cluster[1].read_index(b"r")
    cluster.settle()

    assert [] == cluster.reads[1]


def test_follower_keeps_the_lease_that_it_granted() -> None:
    """Forgetting the leader would let it vote within the lease."""
    cluster = Members(read_mode=ReadMode.LEASE)
    cluster.elect(1)

    cluster[2].forget_leader()

    assert 1 == cluster[2].status().soft_state.leader


def test_removed_leader_of_a_single_voter_does_not_answer_alone() -> None:
    """The voter that is left decides, not the leader that is not one."""
    lone = Lone(first_log((1, 2)), steps_down_on_removal=False)
    lone.lead()
    lone.step(message(MessageKind.APPEND_REPLY, term=2, index=2))
    members = lone.raft._state.membership.members
    lone.raft._state.switch_members(type(members)(voters=frozenset({2})))

    lone.raft.read_index(b"r")

    assert [] == lone.raft._state.read_states


def test_read_asked_of_a_deposed_leader_is_not_answered_in_its_next_term() -> None:
    """What it knew to be committed then may be less than others had acknowledged."""
    cluster = Members(has_check_quorum=False)
    cluster.elect(1)
    cluster.cut_off(1)
    cluster.elect(2)
    cluster[2].propose(b"a")
    cluster.settle()
    cluster[1].read_index(b"r")
    cluster.settle()
    cluster.heal()
    cluster.tick(2, 2)

    cluster.elect(1)
    cluster.tick(1, 3)

    assert [] == cluster.reads[1]
