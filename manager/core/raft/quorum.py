"""Majorities: what most have, what most said. An empty set of voters agrees with everything."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping

EVERYTHING = 2**64 - 1


class Verdict(enum.Enum):
    """How a vote stands."""

    PENDING = "pending"
    LOST = "lost"
    WON = "won"


def committed_index(voters: Collection[int], matched: Callable[[int], int]) -> int:
    """Return the highest index that a majority has; EVERYTHING if there are no voters.

    matched: the index that a voter is known to have, 0 if nothing is known.
    """
    if not voters:
        return EVERYTHING
    indexes = sorted(map(matched, voters))
    return indexes[(len(indexes) - 1) // 2]


def joint_committed_index(
    voters: Collection[int], outgoing: Collection[int], matched: Callable[[int], int]
) -> int:
    """Return the highest index that majorities of both sets have."""
    return min(committed_index(voters, matched), committed_index(outgoing, matched))


def verdict(voters: Collection[int], votes: Mapping[int, bool]) -> Verdict:
    """Return how a vote stands among `voters`; who is not in `votes` has not answered."""
    if not voters:
        return Verdict.WON
    quorum = len(voters) // 2 + 1
    granted = sum(votes.get(voter, False) for voter in voters)
    missing = sum(voter not in votes for voter in voters)
    if granted >= quorum:
        return Verdict.WON
    return Verdict.PENDING if granted + missing >= quorum else Verdict.LOST


def joint_verdict(
    voters: Collection[int], outgoing: Collection[int], votes: Mapping[int, bool]
) -> Verdict:
    """Return how a vote stands that both sets must win."""
    verdicts = {verdict(voters, votes), verdict(outgoing, votes)}
    if Verdict.LOST in verdicts:
        return Verdict.LOST
    return Verdict.PENDING if Verdict.PENDING in verdicts else Verdict.WON
