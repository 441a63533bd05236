"""Bringing the leader's log to everyone, and committing it."""

from __future__ import annotations

import pytest

from manager.core.raft.errors import ProposalDropped, ProposalTooLarge
from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import (
    ConfState,
    Entry,
    EntryId,
    HardState,
    Message,
    MessageKind,
    Snapshot,
    SnapshotMeta,
)
from manager.core.raft.status import ProgressKind, Role
from tests.fakes.raft_members import Lone, Members, append, first_log, message


def _leader_of_old_entries() -> Lone:
    """Return a member with entries 2 and 3 of term 2 that are not committed, which leads term 5."""
    meta = SnapshotMeta(index=1, term=1, conf=ConfState(voters=(1, 2, 3)))
    entries = [Entry(term=2, index=2), Entry(term=2, index=3)]
    lone = Lone(MemoryLog(HardState(term=4, commit=1), Snapshot(meta=meta), entries))
    lone.lead()
    return lone


def test_proposal_reaches_everyone() -> None:
    """In the order proposed."""
    cluster = Members()
    cluster.elect(1)

    for data in (b"a", b"b", b"c"):
        cluster[1].propose(data)
    cluster.settle()

    assert [[b"a", b"b", b"c"]] * 3 == [cluster.data(id_) for id_ in (1, 2, 3)]


def test_proposal_has_its_place_at_once() -> None:
    """So that the proposer can tell what became of it."""
    lone = Lone()
    lone.lead()

    place = lone.raft.propose(b"a", key=b"k")

    assert EntryId(2, 3) == place
    assert Entry(term=2, index=3, data=b"a", key=b"k") == lone.raft.ready().entries[-1]


def test_follower_forwards_proposals() -> None:
    """With their key, by which the proposer knows them again."""
    cluster = Members()
    cluster.elect(1)

    place = cluster[2].propose(b"a", key=b"k")
    cluster.settle()

    assert place is None
    assert b"k" == cluster.applied[2][-1].key


def test_proposal_without_a_leader_is_dropped() -> None:
    """And is certainly in no log."""
    lone = Lone()
    with pytest.raises(ProposalDropped, match="no leader"):
        lone.raft.propose(b"a")
    lone.raft.campaign()
    with pytest.raises(ProposalDropped, match="no leader"):
        lone.raft.propose(b"a")


def test_forwarding_can_be_turned_off() -> None:
    """For a driver that forwards requests itself."""
    cluster = Members(forwards_proposals=False)
    cluster.elect(1)

    with pytest.raises(ProposalDropped, match="does not lead"):
        cluster[2].propose(b"a")


def test_too_large_a_proposal_is_refused_wherever_it_is_made() -> None:
    """The limit is documented, and the log stays as it was."""
    cluster = Members(max_entry_bytes=10)
    cluster.elect(1)
    cluster.settle()

    for id_ in (1, 2):
        with pytest.raises(ProposalTooLarge, match="11 bytes is over the limit of 10"):
            cluster[id_].propose(b"x" * 11)
        assert not cluster[id_].has_ready()
    with pytest.raises(ProposalTooLarge):
        cluster[1].step(message(MessageKind.PROPOSE, term=0, entries=(Entry(data=b"x" * 11),)))


def test_uncommitted_data_is_bounded() -> None:
    """A leader that cannot commit must not fill its memory; the first is always taken."""
    cluster = Members(max_uncommitted_bytes=10)
    cluster.elect(1)
    cluster[1].propose(b"x" * 20)

    with pytest.raises(ProposalDropped, match="not committed"):
        cluster[1].propose(b"y")
    cluster.settle()
    cluster[1].propose(b"z")
    cluster.settle()

    assert [b"x" * 20, b"z"] == cluster.data(3)


def test_entries_of_former_terms_are_not_committed_by_counting() -> None:
    """A majority has them, and yet a leader to come may replace them (raft §5.4.2)."""
    lone = _leader_of_old_entries()

    lone.step(message(MessageKind.APPEND_REPLY, term=5, index=3))
    before = lone.status().hard_state.commit
    lone.step(message(MessageKind.APPEND_REPLY, term=5, index=4))

    assert (1, 4) == (before, lone.status().hard_state.commit)


def test_own_copy_counts_once_it_is_stored() -> None:
    """With one other acknowledgement of two, the leader's own is the majority's second."""
    lone = Lone()
    lone.lead()
    lone.raft.propose(b"a")

    lone.raft.step(message(MessageKind.APPEND_REPLY, term=2, index=3))
    before = lone.status().hard_state.commit
    lone.drain()

    assert (2, 3) == (before, lone.status().hard_state.commit)


def test_acknowledgement_of_a_former_term_counts_for_nothing() -> None:
    """The entry that it speaks of may have been replaced since."""
    lone = _leader_of_old_entries()

    lone.step(message(MessageKind.APPEND_REPLY, term=4, index=4))

    assert 1 == lone.status().hard_state.commit
    assert 0 == lone.status().peers[2].match


def test_heartbeat_tells_no_commit_past_what_the_receiver_has() -> None:
    """Its log may differ from there on."""
    cluster = Members()
    cluster.elect(1)
    cluster.cut_off(3)
    cluster[1].propose(b"a")
    cluster.settle()
    cluster.sent.clear()

    cluster.tick(1)

    beats = [each for each in cluster.sent if each.kind is MessageKind.HEARTBEAT]
    assert {2: 3, 3: 2} == {each.to: each.commit for each in beats}


def test_acknowledgement_waits_for_the_disk() -> None:
    """Nothing is promised before it is stored."""
    lone = Lone()
    lone.raft.step(append((1, 1), 2, 2, commit=9))

    ready = lone.raft.ready()

    assert [2, 3] == [entry.index for entry in ready.entries]
    assert ready.must_sync
    assert [(MessageKind.APPEND_REPLY, 3, 2)] == [
        (each.kind, each.index, each.term) for each in ready.messages
    ]


def test_append_before_the_commit_index_is_acknowledged_up_to_it() -> None:
    """It agrees that far in any case, whatever the append holds."""
    lone = Lone()
    lone.step(append((1, 1), 2, 2, commit=3))

    sent = lone.step(append((1, 1), 2, commit=2))

    assert [(False, 3)] == [(each.reject, each.index) for each in sent]
    assert 3 == lone.status().last_index


def test_rejection_skips_back_over_terms_that_cannot_agree() -> None:
    """One round for each term, not for each entry (raft §5.3)."""
    lone = Lone()
    lone.step(append((1, 1), 2, 2, 2, 2))

    sent = lone.step(append((1, 5), 3, sender=3, term=3))

    assert [(True, 5, 1, 1)] == [
        (each.reject, each.index, each.reject_hint, each.log_term) for each in sent
    ]


def test_diverged_log_is_brought_in_line() -> None:
    """Whatever a former leader left there that was never committed."""
    cluster = Members()
    cluster.elect(1)
    cluster.cut_off(1)
    for data in (b"lost", b"lost too"):
        cluster[1].propose(data)
    cluster.settle()
    cluster[3].forget_leader()
    cluster.elect(2)
    cluster[2].propose(b"kept")
    cluster.settle()
    cluster.heal()

    cluster.tick(2, 3)

    assert [[b"kept"]] * 3 == [cluster.data(id_) for id_ in (1, 2, 3)]
    assert 1 == len({member.status().last_index for member in cluster.members.values()})


def test_lost_appends_are_sent_again_after_a_heartbeat() -> None:
    """A full window of lost messages must not stop replication for ever."""
    cluster = Members(max_inflight_messages=2)
    cluster.elect(1)
    cluster.cut_off(3)
    for _ in range(5):
        cluster[1].propose(b"x")
        cluster.settle()
    is_full = cluster[1].status().peers[3].is_inflight_full
    cluster.heal()

    cluster.tick(1, 2)

    assert is_full
    assert cluster.data(1) == cluster.data(3)


def test_window_limits_what_is_on_its_way() -> None:
    """Appends of at most the message size, no more of them than the window."""
    lone = Lone(max_inflight_messages=3, max_message_bytes=60)
    lone.lead()
    lone.step(message(MessageKind.APPEND_REPLY, term=2, index=2))
    for _ in range(5):
        lone.raft.propose(b"x" * 30)

    sent = [each for each in lone.drain() if each.to == 2 and each.entries]

    assert [1, 1, 1] == [len(each.entries) for each in sent]
    more = lone.step(message(MessageKind.APPEND_REPLY, term=2, index=3))
    assert [6] == [each.entries[0].index for each in more if each.to == 2 and each.entries]


def test_unreachable_member_is_probed() -> None:
    """What was on its way is probably lost."""
    cluster = Members()
    cluster.elect(1)

    cluster[1].report_unreachable(2)
    cluster[1].report_unreachable(9)

    assert ProgressKind.PROBE is cluster[1].status().peers[2].kind
    cluster.tick(1)
    assert ProgressKind.REPLICATE is cluster[1].status().peers[2].kind


def test_leader_of_a_former_term_follows_the_new_one() -> None:
    """Its uncommitted entries are no obstacle."""
    lone = Lone()
    lone.lead()

    lone.step(append((1, 1), 3, term=3))

    assert Role.FOLLOWER is lone.status().soft_state.role
    assert (3, 2) == (lone.status().hard_state.term, lone.status().soft_state.leader)


def test_stale_leader_is_told_the_newer_term() -> None:
    """Its followers within the lease ignore who asks for votes, so it would not hear otherwise."""
    lone = Lone(has_check_quorum=True)
    lone.step(append((1, 1), 3, term=3, sender=3))

    sent = lone.step(append((1, 1), 2, term=2))

    assert [(MessageKind.APPEND_REPLY, 2, 3)] == [(each.kind, each.to, each.term) for each in sent]


def test_single_voter_commits_alone() -> None:
    """Once its own disk has it."""
    lone = Lone(first_log((1,)))
    lone.raft.campaign()
    lone.drain()
    lone.raft.propose(b"a")

    before = lone.status().hard_state.commit
    lone.drain()

    assert (2, 3) == (before, lone.status().hard_state.commit)


def test_restart_hands_out_what_was_not_applied() -> None:
    """From the snapshot on, or from where the state machine says it is."""
    cluster = Members()
    cluster.elect(1)
    for data in (b"a", b"b"):
        cluster[1].propose(data)
    cluster.settle()

    cluster.restart(2)
    cluster.settle()
    cluster.options["applied"] = 3
    cluster.restart(3)
    cluster.settle()

    assert [b"a", b"b"] == cluster.data(2)
    assert [b"b"] == cluster.data(3)


def test_unknown_sender_of_a_reply_changes_nothing_on_a_leader() -> None:
    """A member that was removed may still answer."""
    lone = Lone()
    lone.lead()
    before = lone.status()

    lone.raft._dispatch(Message(kind=MessageKind.APPEND_REPLY, to=1, sender=9, term=1, index=2))
    lone.raft._dispatch(Message(kind=MessageKind.HEARTBEAT_REPLY, to=1, sender=9, term=1))

    assert before == lone.status()


def test_limit_of_uncommitted_data_begins_anew_with_a_term() -> None:
    """What was proposed before is committed by then, or gone."""
    cluster = Members(max_uncommitted_bytes=10)
    cluster.elect(1)
    cluster.cut_off(1)
    cluster[1].propose(b"x" * 10)
    cluster.tick(1, 30)
    cluster.heal()
    for id_ in (2, 3):
        cluster[id_].forget_leader()
    cluster[1].campaign()
    cluster.is_lost = lambda each: each.kind is MessageKind.APPEND
    cluster.settle()

    place = cluster[1].propose(b"y" * 10)

    assert place is not None
