"""A remembered answer is the answer that would be made now."""

from __future__ import annotations

import pytest

from engine.core.dns import FORWARD, Directory, Entry, View, answer
from engine.core.dns_memory import LIMIT, AnswerMemory
from engine.core.dns_message import A
from tests.unit.engine.core.test_dns_message import ask

VIEW = View(networks=(("n1", "front"),))


@pytest.fixture
def directory() -> Directory:
    """Return a network with web, and two that share the name pair."""
    made = Directory()
    made.put("c1", {"n1": Entry(("web", "pair"), "10.1.0.2")})
    made.put("c2", {"n1": Entry(("db", "pair"), "10.1.0.3")})
    return made


def test_the_same_question_under_another_number_has_the_same_answer(directory: Directory) -> None:
    """Numbers are the asker's: each gets its own back."""
    memory = AnswerMemory()
    first, second = ask("web", A), b"\x12\x34" + ask("web", A)[2:]

    answers = [memory.answer(each, directory, VIEW, 0) for each in (first, second, first)]

    assert [answer(each, directory, VIEW, 0) for each in (first, second, first)] == answers


def test_a_change_of_names_or_view_forgets(directory: Directory) -> None:
    """A container that moved must not be found at its old address."""
    memory = AnswerMemory()
    memory.answer(ask("web", A), directory, VIEW, 0)

    directory.put("c1", {"n1": Entry(("web",), "10.1.0.9")})
    moved = memory.answer(ask("web", A), directory, VIEW, 0)
    blind = memory.answer(ask("web", A), directory, View(networks=()), 0)

    assert answer(ask("web", A), directory, VIEW, 0) == moved
    assert blind is FORWARD


def test_owners_of_a_name_still_take_turns(directory: Directory) -> None:
    """What depends on the turn is not kept."""
    memory = AnswerMemory()

    answers = [memory.answer(ask("pair", A), directory, VIEW, turn) for turn in range(4)]

    assert [answer(ask("pair", A), directory, VIEW, turn) for turn in range(4)] == answers
    assert answers[0] != answers[1]


def test_a_flood_of_questions_does_not_grow_it(directory: Directory) -> None:
    """Names in any case are distinct questions; a hostile container has many."""
    memory = AnswerMemory()

    for number in range(3 * LIMIT):
        memory.answer(ask(f"x{number}.front_", A), directory, VIEW, 0)
        memory.answer(ask("web", A) + number.to_bytes(4), directory, VIEW, 0)

    assert len(memory._answers) <= LIMIT
