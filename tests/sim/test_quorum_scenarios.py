"""Quorum arithmetic as in the public tables: committed indexes and votes."""

from __future__ import annotations

from pathlib import Path

import pytest

from manager.core.raft.quorum import (
    EVERYTHING,
    Verdict,
    committed_index,
    joint_committed_index,
    joint_verdict,
    verdict,
)
from tests.sim.traces import Command, read_commands

_SHARED = Path(__file__).parents[3] / "shared" / "raft-scenarios" / "quorum"
_VERDICTS = {
    Verdict.PENDING: "VotePending",
    Verdict.LOST: "VoteLost",
    Verdict.WON: "VoteWon",
}


def _voters(command: Command, key: str) -> tuple[int, ...]:
    return () if command.value(key, "") == "zero" else command.numbers(key)


def _given(command: Command, key: str) -> dict[int, str]:
    """Return the values given to each voter, in the order in which voters are first named."""
    voters = dict.fromkeys(_voters(command, "cfg") + _voters(command, "cfgj"))
    values = command.values.get(key, ())
    return {id_: value for id_, value in zip(voters, values, strict=True) if value != "_"}


def _committed(command: Command) -> str:
    matched = {id_: int(value) for id_, value in _given(command, "idx").items()}
    voters, outgoing = _voters(command, "cfg"), _voters(command, "cfgj")
    index = joint_committed_index(voters, outgoing, lambda id_: matched.get(id_, 0))
    if "cfgj" not in command.values:
        assert index == committed_index(voters, lambda id_: matched.get(id_, 0))
    return "∞" if index == EVERYTHING else str(index)


def _vote(command: Command) -> str:
    votes = {id_: value == "y" for id_, value in _given(command, "votes").items()}
    voters, outgoing = _voters(command, "cfg"), _voters(command, "cfgj")
    outcome = joint_verdict(voters, outgoing, votes)
    if "cfgj" not in command.values:
        assert outcome == verdict(voters, votes)
    return _VERDICTS[outcome]


@pytest.mark.skipif(not _SHARED.is_dir(), reason="the public scenarios are not at hand")
@pytest.mark.parametrize("path", sorted(_SHARED.glob("*.txt")), ids=lambda path: path.stem)
def test_quorum_is_as_in_the_public_table(path: Path) -> None:
    """The last line of an outcome is its value; the drawing above repeats the input."""
    for command in read_commands(path):
        actual = _committed(command) if command.name == "committed" else _vote(command)

        expected = command.expected.splitlines()[-1].removeprefix("<empty majority quorum>")
        assert expected == actual, f"{path.name}:{command.line}"
