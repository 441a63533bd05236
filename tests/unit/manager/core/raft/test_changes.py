"""Changes of membership while the cluster runs."""

from __future__ import annotations

import pytest

from manager.core.raft.errors import ChangeRefused, ProposalDropped
from manager.core.raft.messages import (
    ChangeKind,
    ConfChange,
    ConfChangeSingle,
    Entry,
    EntryKind,
    MessageKind,
    Transition,
    encode_change,
)
from manager.core.raft.status import Role
from tests.fakes.raft_members import Lone, Members, message


def _change(*steps: tuple[ChangeKind, int], transition: Transition = Transition.AUTO) -> ConfChange:
    return ConfChange(tuple(ConfChangeSingle(*step) for step in steps), transition)


_ADD_4 = _change((ChangeKind.ADD_LEARNER, 4))
_REMOVE_3 = _change((ChangeKind.REMOVE, 3))


def test_new_member_joins_as_learner_and_becomes_voter() -> None:
    """It catches up before its vote counts."""
    cluster = Members()
    cluster.elect(1)
    cluster.add(4)

    cluster[1].propose_conf_change(_ADD_4)
    cluster.settle()
    as_learner = cluster[4].status()
    cluster[1].propose_conf_change(_change((ChangeKind.ADD_VOTER, 4)))
    cluster.settle()

    assert (4,) == as_learner.conf.learners
    assert (1, 2, 3, 4) == cluster[4].status().conf.voters
    assert cluster[1].status().last_index == cluster[4].status().last_index


def test_second_change_waits_until_the_first_is_applied() -> None:
    """Two at once could lead to two majorities that do not overlap."""
    cluster = Members()
    cluster.elect(1)
    cluster[1].propose_conf_change(_ADD_4)

    with pytest.raises(ChangeRefused, match="under way"):
        cluster[1].propose_conf_change(_REMOVE_3)
    cluster.settle()
    cluster[1].propose_conf_change(_REMOVE_3)
    cluster.settle()

    assert (1, 2) == cluster[1].status().conf.voters


def test_new_leader_lets_no_change_in_before_its_log_is_applied() -> None:
    """A change may be anywhere in it."""
    lone = Lone()
    lone.step(message(MessageKind.APPEND, log_term=1, index=1, entries=(Entry(term=2, index=2),)))
    lone.lead()

    with pytest.raises(ChangeRefused, match="under way"):
        lone.raft.propose_conf_change(_ADD_4)
    lone.step(message(MessageKind.APPEND_REPLY, term=3, index=3))
    lone.raft.propose_conf_change(_ADD_4)


def test_second_change_of_one_message_is_replaced() -> None:
    """One in flight holds within a message too."""
    cluster = Members()
    cluster.elect(1)
    entries = tuple(
        Entry(kind=EntryKind.CHANGE, data=encode_change(each), key=bytes([at]))
        for at, each in enumerate((_ADD_4, _REMOVE_3))
    )

    cluster[1].step(message(MessageKind.PROPOSE, term=0, entries=entries))
    cluster.settle()

    assert [(EntryKind.CHANGE, b"\0"), (EntryKind.NORMAL, b"\1")] == [
        (entry.kind, entry.key) for entry in cluster.applied[2][-2:]
    ]
    assert (1, 2, 3) == cluster[1].status().conf.voters


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1 garbage",
        b"",
        encode_change(
            _change(
                (ChangeKind.REMOVE, 1),
                (ChangeKind.REMOVE, 2),
                (ChangeKind.REMOVE, 3),
            )
        ),
    ],
    ids=["garbage", "leave what is not joint", "remove all"],
)
def test_forwarded_change_that_does_not_fit_becomes_an_empty_entry(data: bytes) -> None:
    """Its proposer elsewhere learns by its key that it was refused."""
    cluster = Members()
    cluster.elect(1)
    entry = Entry(kind=EntryKind.CHANGE, data=data, key=b"k")

    cluster[1].step(message(MessageKind.PROPOSE, term=0, entries=(entry,)))
    cluster.settle()

    last = cluster.applied[2][-1]
    assert (EntryKind.NORMAL, b"", b"k") == (last.kind, last.data, last.key)


def test_change_that_leads_nowhere_is_refused_by_the_leader() -> None:
    """Before anything is in the log."""
    cluster = Members()
    cluster.elect(1)
    before = cluster[1].status().last_index

    with pytest.raises(ChangeRefused):
        cluster[1].propose_conf_change(ConfChange())
    with pytest.raises(ChangeRefused):
        cluster[1].propose_conf_change(_change(*((ChangeKind.REMOVE, id_) for id_ in (1, 2, 3))))

    assert before == cluster[1].status().last_index


def test_joint_configuration_ends_by_itself() -> None:
    """Several steps at once go through both majorities and out again."""
    cluster = Members()
    cluster.elect(1)
    cluster.add(4)
    cluster.add(5)

    cluster[1].propose_conf_change(
        _change(
            (ChangeKind.ADD_VOTER, 4),
            (ChangeKind.ADD_VOTER, 5),
            (ChangeKind.REMOVE, 3),
        )
    )
    cluster.settle()

    assert {(1, 2, 4, 5)} == {cluster[id_].status().conf.voters for id_ in (1, 2, 4, 5)}
    assert () == cluster[1].status().conf.voters_outgoing


def test_explicit_joint_configuration_needs_both_majorities_until_it_is_left() -> None:
    """And lets no other change in."""
    cluster = Members()
    cluster.elect(1)
    cluster.add(4)
    cluster[1].propose_conf_change(
        _change((ChangeKind.ADD_VOTER, 4), (ChangeKind.REMOVE, 2), transition=Transition.EXPLICIT)
    )
    cluster.settle()
    cluster.cut_off(2, 3)
    cluster[1].propose(b"a")
    cluster.settle()
    with_one_majority = cluster.data(1)
    cluster.heal()
    cluster.tick(1, 2)

    with pytest.raises(ChangeRefused, match="left first"):
        cluster[1].propose_conf_change(_REMOVE_3)
    cluster[1].propose_conf_change(ConfChange())
    cluster.settle()

    assert [] == with_one_majority
    assert [b"a"] == cluster.data(1)
    assert (1, 3, 4) == cluster[1].status().conf.voters


def test_new_leader_leaves_the_joint_configuration_that_the_old_one_entered() -> None:
    """Whoever leads once it is applied."""
    cluster = Members()
    cluster.elect(1)
    cluster.add(4)
    cluster[1].propose_conf_change(
        _change((ChangeKind.ADD_VOTER, 4), (ChangeKind.REMOVE, 3), transition=Transition.IMPLICIT)
    )
    leave = encode_change(ConfChange())
    cluster.is_lost = lambda each: any(
        entry.kind is EntryKind.CHANGE and entry.data == leave for entry in each.entries
    )
    cluster.settle()
    is_joint = bool(cluster[2].status().conf.voters_outgoing)
    cluster.cut_off(1)
    for id_ in (3, 4):
        cluster[id_].forget_leader()
    cluster.elect(2)
    cluster.heal()
    cluster.tick(2, 3)

    assert is_joint
    assert [2] == cluster.leaders()
    assert ((1, 2, 4), ()) == (
        cluster[2].status().conf.voters,
        cluster[2].status().conf.voters_outgoing,
    )


def test_removed_leader_steps_down_and_proposes_nothing() -> None:
    """It commits its own removal first."""
    cluster = Members()
    cluster.elect(1)

    cluster[1].propose_conf_change(_change((ChangeKind.REMOVE, 1)))
    cluster.settle()

    assert Role.FOLLOWER is cluster[1].status().soft_state.role
    assert (2, 3) == cluster[2].status().conf.voters
    with pytest.raises(ProposalDropped):
        cluster[1].propose(b"a")
    cluster[1].campaign()
    assert Role.FOLLOWER is cluster[1].status().soft_state.role


def test_removed_leader_that_stays_takes_no_proposals() -> None:
    """If it does not step down, it only brings the log to the others."""
    cluster = Members(steps_down_on_removal=False)
    cluster.elect(1)
    cluster[1].propose_conf_change(_change((ChangeKind.REMOVE, 1)))
    cluster.settle()

    with pytest.raises(ProposalDropped, match="no longer a member"):
        cluster[1].propose(b"a")


def test_smaller_quorum_commits_what_the_larger_had_not() -> None:
    """Removing members that are away lets the rest go on at once."""
    cluster = Members(voters=2)
    cluster.elect(1)
    cluster.is_lost = lambda each: each.sender == 2 and each.index > 3
    cluster[1].propose_conf_change(_change((ChangeKind.REMOVE, 2)))
    cluster[1].propose(b"a")

    cluster.settle()

    assert [b"a"] == cluster.data(1)


def test_new_member_counts_as_active_at_first() -> None:
    """Otherwise a quorum check could end the term before it could answer."""
    cluster = Members(voters=1)
    cluster.elect(1)
    cluster.tick(1, 9)

    cluster[1].propose_conf_change(_change((ChangeKind.ADD_VOTER, 2)))
    cluster.settle()
    cluster.tick(1, 1)

    assert [1] == cluster.leaders()


def test_change_that_leads_nowhere_when_applied_changes_nothing() -> None:
    """The same on every member."""
    lone = Lone()

    with pytest.raises(ChangeRefused):
        lone.raft.apply_conf_change(ConfChange())

    assert (1, 2, 3) == lone.status().conf.voters


def test_update_carries_only_its_context() -> None:
    """For addresses and the like."""
    lone = Lone()

    conf = lone.raft.apply_conf_change(_change((ChangeKind.UPDATE, 2), (ChangeKind.UPDATE, 0)))

    assert (1, 2, 3) == conf.voters


def test_joint_configuration_is_left_once_and_not_before_the_log_is_applied() -> None:
    """A new leader that hurried would fill the log with changes that do not fit."""
    cluster = Members(max_apply_bytes=1)
    cluster.elect(1)
    cluster.add(4)
    leave = encode_change(ConfChange())
    cluster.is_lost = lambda each: any(
        entry.kind is EntryKind.CHANGE and entry.data == leave for entry in each.entries
    )
    cluster[1].propose_conf_change(
        _change((ChangeKind.ADD_VOTER, 4), (ChangeKind.REMOVE, 3), transition=Transition.IMPLICIT)
    )
    cluster.settle()
    cluster.heal()
    cluster.cut_off(1)
    for id_ in (3, 4):
        cluster[id_].forget_leader()
    cluster[2].campaign()
    cluster.is_lost = lambda each: (
        1 in {each.sender, each.to} or bool(each.kind is MessageKind.APPEND_REPLY and each.to == 2)
    )
    cluster.settle()
    for data in (b"a", b"b", b"c"):
        cluster[2].propose(data)
    cluster.settle()
    cluster.cut_off(1)
    cluster.tick(2, 3)

    log = cluster.logs[2]
    entries = log.entries(log.first_index(), log.last_index() + 1, 1 << 20)
    empty = [entry.term for entry in entries if entry.kind is EntryKind.NORMAL and not entry.data]
    assert [2, 3] == empty
    assert () == cluster[2].status().conf.voters_outgoing
