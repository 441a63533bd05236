"""Schedules that chance finds too seldom, played by hand: right consensus survives them."""

from __future__ import annotations

import pytest

from manager.core.raft.messages import Message, MessageKind
from tests.sim.broken import older_terms_commit_by_counting, stale_acknowledgements_count
from tests.sim.schedule.oracle import RuleBroken
from tests.sim.schedule.plan import Plan
from tests.sim.stage import Stage

_LARGE = b"x" * 190  # fills an append alone


def old_entry_on_a_majority() -> None:
    """Play figure 8 of the Raft paper: a majority has an entry of an old term; it is replaced."""
    stage = Stage(5)
    stage.elect(1, (2, 3, 4, 5))
    stage.beat(1)
    stage.run(lambda _: True)
    stage.propose(1, _LARGE)
    stage.run(lambda m: {m.sender, m.to} == {1, 2})
    stage.elect(5, (3, 4))
    stage.elect(1, (2, 3, 4))
    stage.beat(1)
    # the third member gets the old entry, and not yet the one that is of the leader's own term
    old = stage.last_index(1) - 1
    stage.run(
        lambda m: (
            {m.sender, m.to} <= {1, 2, 3}
            and not (m.to == 3 and m.index == old and stage.last_index(3) == old)
        )
    )
    assert old == stage.last_index(3)
    stage.elect(5, (3, 4))
    stage.beat(5)
    stage.run(lambda m: 1 not in {m.sender, m.to})


def late_acknowledgement() -> None:
    """Let the acknowledgement of replaced entries reach their leader when it leads again."""
    stage = Stage(5)
    stage.elect(1, (2, 3, 4, 5))
    stage.beat(1)
    stage.run(lambda _: True)
    stage.propose(1, b"a")
    stage.propose(1, b"b")
    late: list[Message] = []

    def keep(message: Message) -> bool:
        if message.kind is MessageKind.APPEND_REPLY:
            late.append(message)
        return message.to == 2

    stage.run(keep)
    stage.elect(3, (4, 5))
    stage.beat(3)
    stage.run(lambda _: True)
    stage.elect(1, (2, 3, 4, 5))
    stage.beat(1)
    stage.run(lambda m: {m.sender, m.to} == {1, 4})
    for message in late:
        stage.deliver(message)
    stage.elect(5, (2, 3))
    stage.beat(5)
    stage.run(lambda m: 1 not in {m.sender, m.to})


@pytest.mark.parametrize("story", [old_entry_on_a_majority, late_acknowledgement])
def test_consensus_survives(story: object) -> None:
    """Every rule of the oracle holds all along."""
    assert callable(story)
    story()


def test_counting_old_terms_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raft §5.4.2."""
    older_terms_commit_by_counting(monkeypatch, Plan())

    with pytest.raises(RuleBroken):
        old_entry_on_a_majority()


def test_counting_stale_acknowledgements_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An acknowledgement holds for the term it was given in."""
    stale_acknowledgements_count(monkeypatch, Plan())

    with pytest.raises((RuleBroken, AssertionError)):
        late_acknowledgement()
