"""What `docker events` shows of changes in the cluster."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from api.types.container_spec import ContainerSpec
from api.types.nodes import NodeDescription, NodeRole, NodeSpec, NodeStatus
from api.types.secrets import SecretSpec
from api.types.services import ReplicatedService, ServiceMode, ServiceSpec, UpdateStatus
from api.types.tasks import TaskSpec
from manager.core.object_events import ObjectEvent, to_object_event
from manager.core.objects.node import Node
from manager.core.objects.secret import Secret
from manager.core.objects.service import Service
from manager.core.store.apply import Event
from manager.core.store.command import Action

NODE = Node(
    id="n",
    spec=NodeSpec(Availability="active"),
    description=NodeDescription(Hostname="host"),
    status=NodeStatus(State="ready"),
)
SPEC = ServiceSpec(
    Name="web",
    TaskTemplate=TaskSpec(ContainerSpec=ContainerSpec(Image="a")),
    Mode=ServiceMode(Replicated=ReplicatedService(Replicas=1)),
)
SERVICE = Service(id="s", spec=SPEC)


def told(kind: str, action: Action, new: Any, old: Any = None) -> ObjectEvent | None:
    """Return what is told of a change."""
    return to_object_event(Event(kind=kind, action=action, object=new, old=old, version=1))


def update(kind: str, new: Any, old: Any) -> dict[str, str] | None:
    """Return the attributes of an update, None when nothing is told."""
    event = told(kind, Action.UPDATE, new, old)
    return None if event is None else event.Attributes


def test_coming_and_going_are_told_by_name() -> None:
    secret = Secret(id="x", spec=SecretSpec(Name="pw", Data=b"hunter2"))

    assert ObjectEvent("secret", "create", "x", {"name": "pw"}) == told(
        "secret", Action.CREATE, secret
    )
    assert ObjectEvent("secret", "remove", "x", {"name": "pw"}) == told(
        "secret", Action.REMOVE, secret, secret
    )
    assert ObjectEvent("node", "create", "n", {"name": "host"}) == told("node", Action.CREATE, NODE)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            replace(NODE, spec=NodeSpec(Availability="drain")),
            {"availability.old": "active", "availability.new": "drain"},
        ),
        (replace(NODE, role=NodeRole.MANAGER), {"role.old": "worker", "role.new": "manager"}),
        (
            replace(NODE, status=NodeStatus(State="down")),
            {"state.old": "ready", "state.new": "down"},
        ),
        (replace(NODE, spec=NodeSpec(Availability="active", Labels={"a": "b"})), {}),
    ],
)
def test_an_update_of_a_node_says_what_changed(changed: Node, expected: dict[str, str]) -> None:
    assert {"name": "host", **expected} == update("node", changed, NODE)


def test_what_nobody_sees_is_not_told() -> None:
    """Agents register anew all the time."""
    assert update("node", replace(NODE, data_path_address="10.0.0.1"), NODE) is None
    assert update("service", replace(SERVICE, spec_version=7), SERVICE) is None


def test_an_update_of_a_service_says_what_changed() -> None:
    scaled = replace(SPEC, Mode=ServiceMode(Replicated=ReplicatedService(Replicas=3)))
    other = replace(SPEC, TaskTemplate=TaskSpec(ContainerSpec=ContainerSpec(Image="b")))
    updating = replace(SERVICE, update_status=UpdateStatus(State="updating"))

    assert {"name": "web", "replicas.old": "1", "replicas.new": "3"} == update(
        "service", replace(SERVICE, spec=scaled), SERVICE
    )
    assert {"name": "web", "image.old": "a", "image.new": "b"} == update(
        "service", replace(SERVICE, spec=other), SERVICE
    )
    assert {"name": "web", "updatestate.new": "updating"} == update("service", updating, SERVICE)


def test_a_service_that_ends_is_removed_once() -> None:
    """It goes from the store only with its last task."""
    ending = replace(SERVICE, is_removed=True)

    assert ObjectEvent("service", "remove", "s", {"name": "web"}) == told(
        "service", Action.UPDATE, ending, SERVICE
    )
    assert told("service", Action.UPDATE, ending, ending) is None
    assert told("service", Action.REMOVE, ending, ending) is None
