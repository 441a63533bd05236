"""Majorities."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from manager.core.raft.quorum import (
    EVERYTHING,
    Verdict,
    committed_index,
    joint_committed_index,
    joint_verdict,
    verdict,
)

_VOTERS = st.frozensets(st.integers(1, 9), max_size=7)
_INDEXES = st.dictionaries(st.integers(1, 9), st.integers(0, 12))
_VOTES = st.dictionaries(st.integers(1, 9), st.booleans())


@given(_VOTERS, _INDEXES)
def test_committed_index_is_the_highest_that_a_majority_has(
    voters: frozenset[int], indexes: dict[int, int]
) -> None:
    """Counted out, index by index (raft §5.3)."""

    def has_majority(index: int) -> bool:
        return sum(indexes.get(id_, 0) >= index for id_ in voters) * 2 > len(voters)

    actual = committed_index(voters, lambda id_: indexes.get(id_, 0))

    assert (max(i for i in range(13) if has_majority(i)) if voters else EVERYTHING) == actual


@given(_VOTERS, _VOTES)
def test_vote_is_open_as_long_as_missing_answers_could_turn_it(
    voters: frozenset[int], votes: dict[int, bool]
) -> None:
    """Won or lost means that no further answer changes it."""

    def wins(missing: bool) -> bool:
        return sum(votes.get(id_, missing) for id_ in voters) * 2 > len(voters) or not voters

    actual = verdict(voters, votes)

    if wins(missing=False):
        assert Verdict.WON is actual
    else:
        assert (Verdict.PENDING if wins(missing=True) else Verdict.LOST) is actual


@given(_VOTERS, _VOTERS, _INDEXES, _VOTES)
def test_joint_quorum_needs_both(
    voters: frozenset[int],
    outgoing: frozenset[int],
    indexes: dict[int, int],
    votes: dict[int, bool],
) -> None:
    """A joint configuration agrees when each half does (raft §6)."""

    def matched(id_: int) -> int:
        return indexes.get(id_, 0)

    both = {verdict(voters, votes), verdict(outgoing, votes)}

    committed = joint_committed_index(voters, outgoing, matched)

    assert committed <= committed_index(voters, matched)
    assert committed <= committed_index(outgoing, matched)
    assert (joint_verdict(voters, outgoing, votes) is Verdict.WON) == (both == {Verdict.WON})
    assert (joint_verdict(voters, outgoing, votes) is Verdict.LOST) == (Verdict.LOST in both)
