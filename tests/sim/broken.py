"""Broken consensus: one rule switched off in each, to see that the simulation notices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from manager.core.raft import candidate, leader, proposing, reads, replication, snapshot, terms
from manager.core.raft.log import RaftLog
from manager.core.raft.messages import ConfChange, Entry, Message, MessageKind, Snapshot
from manager.core.raft.state import State
from tests.sim.schedule.plan import Plan

Break = Callable[[pytest.MonkeyPatch, Plan], Plan]


def votes_are_not_persisted(_: pytest.MonkeyPatch, plan: Plan) -> Plan:
    """Let a member vote again in the same term after a crash."""
    return replace(plan, habits=replace(plan.habits, persists_votes=False))


def acknowledged_before_the_sync(_: pytest.MonkeyPatch, plan: Plan) -> Plan:
    """Let messages leave before the disk has what they promise."""
    return replace(plan, habits=replace(plan.habits, syncs_before_sending=False))


def older_terms_commit_by_counting(patch: pytest.MonkeyPatch, plan: Plan) -> Plan:
    """Count an entry of an earlier term as committed once a majority has it (raft figure 8)."""

    def maybe_commit(state: State) -> bool:
        index = state.membership.committed()
        if index <= state.log.committed:
            return False
        state.log.commit_to(index)
        return True

    patch.setattr(leader, "maybe_commit", maybe_commit)
    return plan


def snapshots_raise_the_commit_index_unchecked(patch: pytest.MonkeyPatch, plan: Plan) -> Plan:
    """Take a snapshot's index for committed wherever the log is long enough."""
    right = snapshot.restore

    def restore(state: State, received: Snapshot) -> bool:
        if received.meta.index <= state.log.last_index():
            state.log.commit_to(received.meta.index)
            return False
        return right(state, received)

    patch.setattr(snapshot, "restore", restore)
    return replace(plan, habits=replace(plan.habits, dump_every=4, keep_entries=0))


def a_second_change_is_let_in(patch: pytest.MonkeyPatch, plan: Plan) -> Plan:
    """Propose changes of membership while another one is under way."""

    def check_change(state: State, change: ConfChange) -> None:
        del state, change

    patch.setattr(proposing, "check_change", check_change)
    return plan


def heartbeats_carry_the_whole_commit_index(patch: pytest.MonkeyPatch, plan: Plan) -> Plan:
    """Tell a follower of a commit index past what it is known to have."""

    def send_heartbeat(state: State, to: int, context: bytes) -> None:
        state.send(
            Message(
                kind=MessageKind.HEARTBEAT, to=to, sender=state.id, term=state.term,
                commit=min(state.log.committed, state.membership.peers[to].next - 1),
                context=context,
            )
        )  # fmt: skip

    patch.setattr(replication, "_send_heartbeat", send_heartbeat)
    return plan


def appends_cut_what_agrees(patch: pytest.MonkeyPatch, plan: Plan) -> Plan:
    """Let a late append take away the entries behind it, although it agrees with the log."""

    def maybe_append(
        self: RaftLog, prev_term: int, prev_index: int, entries: tuple[Entry, ...], commit: int
    ) -> int | None:
        if not self.matches(prev_term, prev_index):
            return None
        fresh = [entry for entry in entries if entry.index > self.committed]
        if fresh:
            self.append(fresh)
        last_new = prev_index + len(entries)
        self.commit_to(min(commit, last_new))
        return last_new

    patch.setattr(RaftLog, "maybe_append", maybe_append)
    return plan


def stale_acknowledgements_count(patch: pytest.MonkeyPatch, plan: Plan) -> Plan:
    """Count an acknowledgement of an earlier term in this one."""
    right = terms.admit

    def admit(state: State, message: Message) -> bool:
        is_old = 0 < message.term < state.term
        return (is_old and message.kind is MessageKind.APPEND_REPLY) or right(state, message)

    patch.setattr("manager.core.raft.raft.admit", admit)
    return plan


def shorter_logs_win_votes(patch: pytest.MonkeyPatch, plan: Plan) -> Plan:
    """Give a vote whatever the candidate's log holds."""

    def is_up_to_date(self: RaftLog, term: int, index: int) -> bool:
        del self, term, index
        return True

    patch.setattr(RaftLog, "is_up_to_date", is_up_to_date)
    return plan


def two_votes_in_a_term(patch: pytest.MonkeyPatch, plan: Plan) -> Plan:
    """Give the vote to whoever asks, as often as it is asked."""
    right = candidate.answer

    def answer(state: State, message: Message) -> None:
        if message.kind is MessageKind.VOTE:
            state.vote = message.sender
        right(state, message)

    patch.setattr(candidate, "answer", answer)
    return plan


def reads_are_answered_unconfirmed(patch: pytest.MonkeyPatch, plan: Plan) -> Plan:
    """Answer reads by whoever believes to lead, without asking whether it still does."""

    def decides_alone(state: State) -> bool:
        del state
        return True

    patch.setattr(reads, "_decides_alone", decides_alone)
    return plan


def matches_are_believed(patch: pytest.MonkeyPatch, plan: Plan) -> Plan:
    """Acknowledge an append although the log does not agree before it."""

    def maybe_append(
        self: RaftLog, prev_term: int, prev_index: int, entries: tuple[Entry, ...], commit: int
    ) -> int | None:
        del prev_term
        if prev_index > self.last_index():
            return None
        for at, entry in enumerate(entries):
            if not self.matches(entry.term, entry.index):
                self.append(list(entries[at:]))
                break
        last_new = prev_index + len(entries)
        self.commit_to(min(commit, last_new))
        return last_new

    patch.setattr(RaftLog, "maybe_append", maybe_append)
    return plan


# Noticed by chance, in a few seeds; the other two have schedules of their own (test_directed.py).
BREAKS: tuple[Break, ...] = (
    votes_are_not_persisted,
    acknowledged_before_the_sync,
    snapshots_raise_the_commit_index_unchecked,
    a_second_change_is_let_in,
    heartbeats_carry_the_whole_commit_index,
    appends_cut_what_agrees,
    shorter_logs_win_votes,
    two_votes_in_a_term,
    reads_are_answered_unconfirmed,
    matches_are_believed,
)
