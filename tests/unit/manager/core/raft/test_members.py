"""Memberships and what follows from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.core.raft.errors import ChangeRefused
from manager.core.raft.members import Members, change, from_conf_state
from manager.core.raft.messages import (
    ChangeKind,
    ConfChange,
    ConfChangeSingle,
    ConfState,
    Transition,
    decode_change,
    encode_change,
)

_STEPS = st.lists(
    st.builds(ConfChangeSingle, st.sampled_from(ChangeKind), st.integers(0, 5)), max_size=4
).map(tuple)
_CHANGES = st.builds(ConfChange, _STEPS, st.sampled_from(Transition))
_MAJORITIES_OF_ONE = Members(voters=frozenset({1}))


def _majorities(voters: frozenset[int]) -> list[frozenset[int]]:
    ids = sorted(voters)
    subsets = (
        frozenset(id_ for at, id_ in enumerate(ids) if bits >> at & 1)
        for bits in range(2 ** len(ids))
    )
    return [subset for subset in subsets if 2 * len(subset) > len(ids)]


def _decides(members: Members, who: frozenset[int]) -> bool:
    return all(
        2 * len(half & who) > len(half) for half in (members.voters, members.outgoing) if half
    )


@given(st.lists(_CHANGES, max_size=6))
def test_deciding_sets_before_and_after_a_change_overlap(changes: list[ConfChange]) -> None:
    """So two leaders of one term cannot be elected while a change spreads (raft §6)."""
    members = _MAJORITIES_OF_ONE
    for each in changes:
        try:
            after = change(members, each)
        except ChangeRefused:
            continue
        everyone = sorted(members.all_voters() | after.all_voters())
        for bits in range(2 ** len(everyone)):
            who = frozenset(id_ for at, id_ in enumerate(everyone) if bits >> at & 1)
            rest = frozenset(everyone) - who
            assert not (_decides(members, who) and _decides(after, rest))
        assert not after.learners & after.all_voters()
        assert after.learners_next <= after.outgoing
        assert from_conf_state(after.conf_state()) == after
        members = after


@pytest.mark.parametrize(
    "conf",
    [
        ConfState(voters=(1,), learners=(1,)),
        ConfState(voters=(1,), learners_next=(2,)),
        ConfState(voters=(1,), auto_leave=True),
        ConfState(voters=(1,), voters_outgoing=(2,), learners=(2,)),
    ],
)
def test_membership_that_makes_no_sense_is_refused(conf: ConfState) -> None:
    """It can only come from damage."""
    with pytest.raises(ChangeRefused):
        from_conf_state(conf)


def test_demoted_voter_votes_until_the_joint_configuration_ends() -> None:
    """Its vote is part of the outgoing majority."""
    before = Members(voters=frozenset({1, 2, 3}))
    demote = ConfChange(
        (ConfChangeSingle(ChangeKind.ADD_LEARNER, 3),), transition=Transition.EXPLICIT
    )

    joint = change(before, demote)
    after = change(joint, ConfChange())

    assert (frozenset({3}), frozenset()) == (joint.learners_next, joint.learners)
    assert Members(voters=frozenset({1, 2}), learners=frozenset({3})) == after


@pytest.mark.parametrize(
    ("transition", "count", "is_joint", "is_automatic"),
    [
        (Transition.AUTO, 1, False, True),
        (Transition.AUTO, 2, True, True),
        (Transition.IMPLICIT, 1, True, True),
        (Transition.EXPLICIT, 1, True, False),
    ],
)
def test_transition_tells_how_the_change_is_made(
    transition: Transition, count: int, is_joint: bool, is_automatic: bool
) -> None:
    """Several steps at once always need both majorities for a while."""
    steps = tuple(ConfChangeSingle(ChangeKind.ADD_VOTER, id_) for id_ in range(2, 2 + count))

    after = change(_MAJORITIES_OF_ONE, ConfChange(steps, transition))

    assert is_joint == after.is_joint()
    assert (is_joint and is_automatic) == after.auto_leave


@given(_CHANGES)
def test_change_survives_the_log(each: ConfChange) -> None:
    """What was proposed is what is applied."""
    assert each == decode_change(encode_change(each))


def test_leaving_is_empty_data() -> None:
    """So it is never refused for its size."""
    assert b"" == encode_change(ConfChange())
    assert decode_change(b"").is_leave()
