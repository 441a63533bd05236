"""Elections: who stands, who votes, what a term means."""

from __future__ import annotations

import pytest

from manager.core.raft.candidate import TRANSFER
from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import (
    ChangeKind,
    ConfChange,
    ConfChangeSingle,
    ConfState,
    Entry,
    EntryKind,
    HardState,
    MessageKind,
    Snapshot,
    SnapshotMeta,
    encode_change,
)
from manager.core.raft.status import Role
from tests.fakes.raft_members import Lone, Members, append, first_log, message

_VOTE = {"log_term": 1, "index": 1}


def test_vote_is_stored_before_it_is_told() -> None:
    """A member that forgot its vote in a crash could vote twice (raft §5.2)."""
    lone = Lone()
    lone.raft.step(message(MessageKind.VOTE, **_VOTE))

    ready = lone.raft.ready()

    assert HardState(term=2, vote=2, commit=1) == ready.hard_state
    assert ready.must_sync
    assert [(MessageKind.VOTE_REPLY, 2, False)] == [
        (each.kind, each.to, each.reject) for each in ready.messages
    ]


def test_one_vote_for_each_term_even_after_a_restart() -> None:
    """And the same one again if it is asked for again."""
    log = first_log((1, 2, 3))
    Lone(log).step(message(MessageKind.VOTE, **_VOTE))
    lone = Lone(log)

    other = lone.step(message(MessageKind.VOTE, sender=3, **_VOTE))
    same = lone.step(message(MessageKind.VOTE, **_VOTE))

    assert [True] == [each.reject for each in other]
    assert [False] == [each.reject for each in same]


def test_no_vote_against_the_leader_of_the_term() -> None:
    """Whoever hears of a leader has no vote left to give, though it gave none."""
    lone = Lone(has_check_quorum=False)
    lone.step(append((1, 1), 2))

    sent = lone.step(message(MessageKind.VOTE, sender=3, log_term=2, index=9))

    assert [True] == [each.reject for each in sent]


@pytest.mark.parametrize(("log_term", "index"), [(1, 2), (1, 9), (2, 1)])
def test_no_vote_for_a_candidate_whose_log_is_behind(log_term: int, index: int) -> None:
    """A leader must have all that was committed (raft §5.4.1)."""
    lone = Lone()
    lone.step(append((1, 1), 2, 2))

    sent = lone.step(
        message(
            MessageKind.VOTE, sender=3, term=3, log_term=log_term, index=index, context=TRANSFER
        )
    )

    assert [(True, 3)] == [(each.reject, each.term) for each in sent]


def test_no_attention_to_candidates_while_a_leader_is_heard_of() -> None:
    """A member that cannot hear the leader must not depose it (thesis §4.2.3)."""
    lone = Lone(election_ticks=3)
    lone.step(append((1, 1), 2))
    vote = message(MessageKind.VOTE, sender=3, term=5, log_term=2, index=9)

    assert [] == lone.step(vote)
    assert 2 == lone.status().hard_state.term
    for _ in range(2):
        lone.raft.tick()
    assert [] == lone.step(vote)
    lone.raft.tick()
    lone.raft.campaign()
    lone.drain()
    assert [False] == [each.reject for each in lone.step(vote)]


def test_leadership_that_is_handed_over_passes_the_lease() -> None:
    """The leader itself asked for the election."""
    lone = Lone()
    lone.step(append((1, 1), 2))

    sent = lone.step(
        message(MessageKind.VOTE, sender=3, term=3, log_term=2, index=2, context=TRANSFER)
    )

    assert [False] == [each.reject for each in sent]


def test_election_is_held_when_no_leader_is_heard_of() -> None:
    """Between one and two election times after the last word."""
    lone = Lone(election_ticks=4, random_below=lambda limit: limit - 1)

    for _ in range(6):
        lone.raft.tick()
    role_before = lone.status().soft_state.role
    lone.raft.tick()

    assert (Role.FOLLOWER, Role.CANDIDATE) == (role_before, lone.status().soft_state.role)


def test_word_of_the_leader_puts_the_election_off() -> None:
    """Heartbeats count as well as entries."""
    lone = Lone(election_ticks=3)
    for _ in range(5):
        lone.raft.tick()
        lone.raft.tick()
        lone.step(message(MessageKind.HEARTBEAT, commit=1))

    assert Role.FOLLOWER is lone.status().soft_state.role


def test_own_vote_counts_once_it_is_stored() -> None:
    """A single voter leads only after its vote is on disk."""
    lone = Lone(first_log((1,)))
    lone.raft.campaign()

    ready = lone.raft.ready()
    role_before = lone.status().soft_state.role
    lone.raft.advance()

    assert HardState(term=2, vote=1, commit=1) == ready.hard_state
    assert (Role.CANDIDATE, Role.LEADER) == (role_before, lone.status().soft_state.role)


def test_lost_election_ends_candidacy() -> None:
    """A majority said no, so it is pointless to wait."""
    lone = Lone()
    lone.raft.campaign()
    lone.drain()

    lone.step(
        message(MessageKind.VOTE_REPLY, term=2, reject=True),
        message(MessageKind.VOTE_REPLY, term=2, sender=3, reject=True),
    )

    assert Role.FOLLOWER is lone.status().soft_state.role


def test_vote_counts_once() -> None:
    """Duplicated answers of one member are not a majority."""
    cluster = Members(voters=5)
    cluster.cut_off(2, 3, 4, 5)
    cluster[1].campaign()
    cluster.settle()

    for _ in range(3):
        cluster[1].step(message(MessageKind.VOTE_REPLY, term=2))

    assert [] == cluster.leaders()


def test_vote_of_a_former_term_counts_for_nothing() -> None:
    """It was given for another candidacy."""
    lone = Lone()
    lone.raft.campaign()
    lone.drain()
    lone.raft.campaign()
    lone.drain()

    lone.step(message(MessageKind.VOTE_REPLY, term=2))

    assert Role.CANDIDATE is lone.status().soft_state.role


def test_pre_vote_raises_no_term() -> None:
    """A member that comes back from a partition must not disturb (thesis §9.6)."""
    cluster = Members(has_pre_vote=True)
    cluster.elect(1)
    cluster.cut_off(3)
    cluster.tick(3, 50)

    term_apart = cluster[3].status().hard_state.term
    cluster.heal()
    cluster.tick(1, 2)

    assert 2 == term_apart
    assert [1] == cluster.leaders()
    assert 1 == cluster[3].status().soft_state.leader


def test_member_with_a_newer_term_is_taken_back() -> None:
    """It answers the old leader, which then steps down, rather than wait for ever."""
    cluster = Members(has_pre_vote=False)
    cluster.elect(1)
    cluster.cut_off(3)
    cluster[3].campaign()
    cluster.settle()
    cluster.heal()

    cluster.tick(1, 1)
    cluster.tick(1, 30)

    assert [1] == cluster.leaders()
    assert {1} == {each.status().soft_state.leader for each in cluster.members.values()}


def test_learner_votes_but_does_not_stand() -> None:
    """It may be a voter already without knowing."""
    cluster = Members(voters=2, learners=(3,))

    cluster[3].campaign()
    cluster.settle()
    cluster[3].step(message(MessageKind.VOTE, to=3, sender=1, term=2, **_VOTE))
    ready = cluster[3].ready()

    assert Role.FOLLOWER is cluster[3].status().soft_state.role
    assert [False] == [each.reject for each in ready.messages]


def test_nobody_stands_before_a_committed_change_is_applied() -> None:
    """It would count votes by a membership that is no longer in force."""
    change = ConfChange((ConfChangeSingle(ChangeKind.REMOVE, 3),))
    entry = Entry(term=1, index=2, kind=EntryKind.CHANGE, data=encode_change(change))
    meta = SnapshotMeta(index=1, term=1, conf=ConfState(voters=(1, 2, 3)))
    log = MemoryLog(HardState(term=1, commit=2), Snapshot(meta=meta), [entry])
    lone = Lone(log)

    lone.raft.campaign()
    role_before = lone.status().soft_state.role
    lone.raft.ready()
    lone.raft.apply_conf_change(change)
    lone.raft.advance()
    lone.raft.campaign()

    assert (Role.FOLLOWER, Role.CANDIDATE) == (role_before, lone.status().soft_state.role)


def test_leader_without_a_quorum_steps_down() -> None:
    """Its clients would wait for nothing (thesis §6.2)."""
    cluster = Members()
    cluster.elect(1)
    cluster.cut_off(1)

    cluster.tick(1, 10)
    is_leader_in_doubt = cluster.leaders() == [1]
    cluster.tick(1, 10)

    assert is_leader_in_doubt
    assert [] == cluster.leaders()


def test_leader_with_a_quorum_stays() -> None:
    """One member that is away is no reason."""
    cluster = Members()
    cluster.elect(1)
    cluster.cut_off(3)

    cluster.tick(1, 50)

    assert [1] == cluster.leaders()


def test_forgetting_the_leader_lets_a_new_one_be_elected_at_once() -> None:
    """For a transport that knows that the leader died."""
    cluster = Members()
    cluster.elect(1)
    cluster.cut_off(1)

    cluster[3].forget_leader()
    cluster[2].campaign()
    cluster.settle()

    assert {1, 2} == set(cluster.leaders())
    assert 2 == cluster[3].status().soft_state.leader


def test_vote_puts_the_own_election_off() -> None:
    """The candidate gets time to win and to be heard of."""
    log = first_log((1, 2, 3))
    log.set_hard_state(HardState(term=2, commit=1))
    lone = Lone(log, election_ticks=3)
    lone.raft.tick()
    lone.raft.tick()

    lone.step(message(MessageKind.VOTE, **_VOTE))
    lone.raft.tick()

    assert Role.FOLLOWER is lone.status().soft_state.role


def test_pre_candidate_asks_once_in_an_election_time() -> None:
    """Not with every tick after the first time ran out."""
    lone = Lone(has_pre_vote=True, election_ticks=3)

    for _ in range(5):
        lone.raft.tick()

    asked = [each for each in lone.drain() if each.kind is MessageKind.PRE_VOTE]
    assert [2, 3] == [each.to for each in asked]


def test_vote_is_no_pre_vote() -> None:
    """One that was given in an earlier candidacy of the same term says nothing of the next."""
    lone = Lone(has_pre_vote=True)
    lone.raft.campaign()
    lone.drain()
    lone.step(message(MessageKind.PRE_VOTE_REPLY, term=2))
    role_with_pre_votes = lone.status().soft_state.role
    lone.raft.campaign()
    lone.drain()

    lone.step(message(MessageKind.VOTE_REPLY, term=2))

    assert Role.CANDIDATE is role_with_pre_votes
    assert Role.PRE_CANDIDATE is lone.status().soft_state.role


def test_refused_pre_vote_may_bring_a_newer_term() -> None:
    """Then it is pointless to go on in the old one."""
    lone = Lone(has_pre_vote=True)
    lone.raft.campaign()
    lone.drain()

    lone.step(message(MessageKind.PRE_VOTE_REPLY, term=7, reject=True))

    assert Role.FOLLOWER is lone.status().soft_state.role
    assert 7 == lone.status().hard_state.term


def test_pre_vote_of_a_former_term_is_answered_with_the_newer() -> None:
    """Who asks is behind, and would ask for ever."""
    lone = Lone(has_pre_vote=True)
    lone.step(message(MessageKind.HEARTBEAT, term=5))

    sent = lone.step(message(MessageKind.PRE_VOTE, term=3, sender=3, **_VOTE))

    assert [(True, 5)] == [(each.reject, each.term) for each in sent]


def test_first_answer_of_a_member_counts() -> None:
    """A vote is not taken back."""
    cluster = Members(voters=5)
    cluster.cut_off(2, 3, 4, 5)
    cluster[1].campaign()
    cluster.settle()

    for sender, is_refused in ((2, False), (2, True), (3, False)):
        cluster[1].step(message(MessageKind.VOTE_REPLY, sender=sender, reject=is_refused))

    assert [1] == cluster.leaders()
