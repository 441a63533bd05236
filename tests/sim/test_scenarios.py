"""Interaction traces: each command's outcome, value by value.

Source: the scenarios of etcd's raft where they are at hand, and this project's own stories.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sim.interpreter import Interpreter
from tests.sim.record import SCRIPTS
from tests.sim.traces import comparable, read_commands

_SHARED = Path(__file__).parents[3] / "shared" / "raft-scenarios" / "interaction"


def _play(path: Path) -> None:
    interpreter = Interpreter(lambda limit: limit - 1)
    for command in read_commands(path):
        actual = interpreter.play(command)

        assert comparable(command.expected) == comparable(actual), f"{path.name}:{command.line}"


@pytest.mark.skipif(not _SHARED.is_dir(), reason="the public scenarios are not at hand")
@pytest.mark.parametrize("path", sorted(_SHARED.glob("*.txt")), ids=lambda path: path.stem)
def test_core_acts_as_in_the_public_scenario(path: Path) -> None:
    """A trusted core's record, step by step: messages, hard state, entries, progress."""
    _play(path)


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.txt")), ids=lambda path: path.stem)
def test_story_goes_as_recorded(path: Path) -> None:
    """A golden trace changes only when behaviour is meant to."""
    _play(path)
