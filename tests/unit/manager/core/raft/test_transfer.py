"""Handing leadership over."""

from __future__ import annotations

import pytest

from manager.core.raft.errors import ProposalDropped
from manager.core.raft.messages import (
    ChangeKind,
    ConfChange,
    ConfChangeSingle,
    MessageKind,
)
from tests.fakes.raft_members import Members


def test_leadership_goes_to_the_member_named() -> None:
    """Without pre-vote, and within the lease of the old leader."""
    cluster = Members(has_pre_vote=True)
    cluster.elect(1)

    cluster[1].transfer_leader(3)
    cluster.settle()

    assert [3] == cluster.leaders()


def test_follower_passes_the_wish_on() -> None:
    """Any member may be asked."""
    cluster = Members()
    cluster.elect(1)

    cluster[2].transfer_leader(3)
    cluster.settle()

    assert [3] == cluster.leaders()


def test_member_behind_catches_up_first() -> None:
    """It could not win otherwise."""
    cluster = Members()
    cluster.elect(1)
    cluster.cut_off(3)
    cluster[1].propose(b"a")
    cluster.settle()

    cluster[1].transfer_leader(3)
    cluster.settle()
    is_waiting = [1] == cluster.leaders()
    cluster.heal()
    cluster.tick(1, 3)

    assert is_waiting
    assert [3] == cluster.leaders()
    assert [b"a"] == cluster.data(3)


def test_nothing_is_proposed_meanwhile_and_it_is_given_up_in_time() -> None:
    """Clients wait one election time at most."""
    cluster = Members()
    cluster.elect(1)
    cluster.is_lost = lambda each: each.kind is MessageKind.TIMEOUT_NOW
    cluster[1].transfer_leader(3)
    cluster.settle()

    with pytest.raises(ProposalDropped, match="handed over"):
        cluster[1].propose(b"a")
    cluster.tick(1, 10)
    cluster[1].propose(b"b")
    cluster.settle()

    assert [b"b"] == cluster.data(2)


@pytest.mark.parametrize("to", [1, 4, 9])
def test_transfer_to_oneself_a_learner_or_a_stranger_is_none(to: int) -> None:
    """Proposals go on."""
    cluster = Members(learners=(4,))
    cluster.elect(1)

    cluster[1].transfer_leader(to)
    cluster.settle()

    assert 0 == cluster[1].status().transferee
    assert [1] == cluster.leaders()


def test_transfer_to_another_replaces_the_first() -> None:
    """The last wish counts; the same one again changes nothing."""
    cluster = Members()
    cluster.elect(1)
    cluster.is_lost = lambda each: each.kind is MessageKind.TIMEOUT_NOW

    for to in (3, 3, 2):
        cluster[1].transfer_leader(to)
        cluster.settle()

    sent = [each.to for each in cluster.sent if each.kind is MessageKind.TIMEOUT_NOW]
    assert [3, 2] == sent
    assert 2 == cluster[1].status().transferee


def test_transfer_to_a_removed_member_is_given_up() -> None:
    """It cannot take over any more."""
    cluster = Members()
    cluster.elect(1)
    cluster.cut_off(3)
    cluster[1].propose_conf_change(ConfChange((ConfChangeSingle(ChangeKind.REMOVE, 3),)))
    cluster[1].transfer_leader(3)

    cluster.settle()

    assert 0 == cluster[1].status().transferee


def test_transfer_without_a_leader_is_dropped() -> None:
    """There is nobody to ask."""
    cluster = Members()

    cluster[2].transfer_leader(3)
    cluster.settle()

    assert [] == cluster.leaders()
