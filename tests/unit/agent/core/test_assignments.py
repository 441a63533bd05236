"""Changes folded into what is assigned."""

from __future__ import annotations

from agent.core.assignments import Assignments, Piece
from api.types.assignments import AssignedConfig, AssignedSecret, AssignedTask

ONE, TWO = AssignedTask(ID="1"), AssignedTask(ID="2")
SECRET = AssignedSecret(ID="1", Data=b"x")


def test_changes_add_replace_and_remove() -> None:
    changed = AssignedTask(ID="1", Slot=5)
    start = Assignments().changed([Piece(items=(ONE, SECRET), is_complete=True)])

    found = start.changed([Piece(items=(changed, TWO), removed=((AssignedSecret, "1"),))])

    assert {"1": changed, "2": TWO} == found.tasks
    assert {} == found.secrets


def test_kinds_do_not_mix() -> None:
    """Ids are unique within a kind."""
    start = Assignments().changed([Piece(items=(ONE, SECRET, AssignedConfig(ID="1")))])

    found = start.changed([Piece(removed=((AssignedTask, "1"),))])

    assert ({}, {"1": SECRET}, {"1"}) == (found.tasks, found.secrets, set(found.configs))


def test_a_complete_change_in_pieces_replaces_everything() -> None:
    """After a session was lost nobody knows what was missed."""
    start = Assignments().changed([Piece(items=(ONE,))])

    found = start.changed(
        [
            Piece(items=(SECRET,), is_complete=True, more_follows=True),
            Piece(items=(TWO,), is_complete=True),
        ]
    )

    assert ({"2": TWO}, {"1": SECRET}) == (found.tasks, found.secrets)
