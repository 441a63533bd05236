"""What views find, and in which order."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from api.cluster_errors import NoSuchTask
from api.types.nodes import NodeSpec
from manager.core.store.query import View
from tests.unit.manager.core.store.builders import after, node, service, task

WEB = service("abc1", "Web")


def _view(*items: Any) -> View:
    def create(tx: Any) -> None:
        for item in items:
            rows = {"Service": tx.services, "Task": tx.tasks, "Node": tx.nodes}
            rows[type(item).__name__].create(item)

    return View(after(create))


def test_a_reference_is_an_id_or_else_a_name_or_else_the_beginning_of_an_id() -> None:
    """In this order: a service may be named like the beginning of another's id."""
    view = _view(WEB, service("abd2", "abc"), service("x", "abc1"))

    assert ["abc1"] == [s.id for s in view.services.lookup("abc1")]
    assert ["abd2"] == [s.id for s in view.services.lookup("abc")]
    assert ["abc1", "abd2"] == [s.id for s in view.services.lookup("ab")]
    assert ["abc1", "abd2"] == [s.id for s in view.services.lookup("a")]
    assert ["abc1"] == [s.id for s in view.services.lookup("WEB")]
    assert [] == view.services.lookup("")


def test_rows_come_in_the_order_of_their_ids() -> None:
    view = _view(*(task(i, WEB, slot=n + 1) for n, i in enumerate("qdzab")))

    assert list("abdqz") == [t.id for t in view.tasks]
    assert list("abdqz") == [t.id for t in view.tasks.by(service="abc1")]
    assert 5 == len(view.tasks) == view.tasks.count(service="abc1")


def test_labels_are_found_with_and_without_their_value() -> None:
    labelled = replace(node("n1", "one"), spec=NodeSpec(Labels={"zone": "a", "ssd": ""}))
    view = _view(labelled, node("n2", "two"))

    for label in ("zone", "zone=a", "ssd", "ssd="):
        assert ["n1"] == [n.id for n in view.nodes.by(label=label)]
    assert [] == view.nodes.by(label="zone=b")


def test_names_of_nodes_may_be_shared() -> None:
    view = _view(node("n1", "same"), node("n2", "Same"))

    assert ["n1", "n2"] == [n.id for n in view.nodes.by(name="SAME")]


def test_what_must_be_there_and_is_not_is_an_error_of_its_kind() -> None:
    with pytest.raises(NoSuchTask, match="task t9 not found"):
        _view().tasks.need("t9")
