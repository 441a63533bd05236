"""Placement constraints: their syntax, and which nodes meet them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cluster_errors import InvalidSpec
from api.types.nodes import (
    EngineDescription,
    NodeDescription,
    NodeRole,
    NodeSpec,
    NodeStatus,
    Platform,
)
from manager.core.objects.node import Node
from manager.core.scheduler.constraint import (
    Constraint,
    Operator,
    is_met,
    label_of,
    parse_constraint,
)

NODE = Node(
    id="nodeA",
    role=NodeRole.MANAGER,
    spec=NodeSpec(Role="worker", Labels={"Zone": "East", "empty": ""}),
    description=NodeDescription(
        Hostname="box-1",
        Platform=Platform("x86_64", "linux"),
        Engine=EngineDescription(Labels={"disk": "ssd"}),
    ),
    status=NodeStatus(Addr="10.1.2.3"),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("node.id == nodea", True),
        ("node.id!=nodeA", False),
        ("node.hostname==BOX-1", True),
        ("node.hostname!=other", True),
        ("node.role==Manager", True),
        ("NODE.ROLE==worker", False),
        ("node.platform.os==linux", True),
        ("node.platform.arch==x86_64", True),
        ("node.platform.arch!=x86_64", False),
        ("node.labels.Zone==east", True),
        ("node.labels.zone==east", False),
        ("node.labels.zone!=east", True),
        ("node.labels.absent!=x", True),
        ("engine.labels.disk==ssd", True),
        ("engine.labels.disk!=ssd", False),
        ("node.ip==10.1.2.3", True),
        ("node.ip!=10.1.2.3", False),
        ("node.ip==10.1.0.0/16", True),
        ("node.ip!=10.2.0.0/16", True),
        ("node.ip==10.2.0.0/16", False),
        ("node.ip==nonsense", False),
        ("node.ip!=nonsense", False),
        ("node.colour==red", False),
        ("node.colour!=red", False),
        ("node.labels.==x", False),
    ],
)
def test_a_node_meets_what_is_true_of_it(text: str, expected: bool) -> None:
    assert expected is is_met([parse_constraint(text)], NODE)


def test_all_constraints_must_be_met() -> None:
    met, unmet = (parse_constraint(f"node.role=={role}") for role in ("manager", "worker"))

    assert is_met([], NODE)
    assert is_met([met, met], NODE)
    assert not is_met([met, unmet], NODE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("node.labels.a == b c", Constraint("node.labels.a", Operator.EQUAL, "b c")),
        ("a_b.c-d!=x:y/z", Constraint("a_b.c-d", Operator.UNEQUAL, "x:y/z")),
        ("node.ip==2001:db8::/32", Constraint("node.ip", Operator.EQUAL, "2001:db8::/32")),
        ("node.labels.re==^a.*(b|c)$", Constraint("node.labels.re", Operator.EQUAL, "^a.*(b|c)$")),
    ],
)
def test_constraints_are_a_key_an_operator_and_a_value(text: str, expected: Constraint) -> None:
    assert expected == parse_constraint(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("node.role", "constraint expected one operator from ==, !="),
        ("node.role=manager", "constraint expected one operator from ==, !="),
        ("==manager", "key '' is invalid"),
        ("n==x", "key 'n' is invalid"),
        ("1node==x", "key '1node' is invalid"),
        ("node role==x", "key 'node role' is invalid"),
        ("node.role==", "value '' is invalid"),
        ("node.role==a=b", "value 'a=b' is invalid"),
        ("node.role===b", "value '=b' is invalid"),
        ("node.role==é", "value 'é' is invalid"),
    ],
)
def test_other_texts_are_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        parse_constraint(text)

    assert f"rpc error: code = InvalidArgument desc = {why}" == refused.value.message


@given(st.text())
def test_any_text_is_a_constraint_or_refused(text: str) -> None:
    try:
        constraint = parse_constraint(text)
    except InvalidSpec:
        return
    negated = Constraint(constraint.key, Operator.UNEQUAL, constraint.value)
    assert not (is_met([constraint], NODE) and is_met([negated], NODE)) or (
        constraint.operator is Operator.UNEQUAL
    )


def test_labels_are_found_by_descriptor() -> None:
    found = [label_of(NODE, each) for each in ("node.labels.Zone", "Engine.Labels.disk", "x.y.z")]

    assert ["East", "ssd", ""] == found
