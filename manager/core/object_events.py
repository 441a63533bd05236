"""Changes of the cluster's objects as the events that `docker events` shows.

Source: the reference's events of scope swarm: their types, actions and attributes. Of changes that
no user sees (an agent registers anew, an endpoint is given its addresses) nothing is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from api.types.services import ServiceSpec
from manager.core.objects.network import Network
from manager.core.objects.node import Node
from manager.core.objects.service import Service
from manager.core.store.apply import Event
from manager.core.store.command import Action

_ACTIONS = {Action.CREATE: "create", Action.UPDATE: "update", Action.REMOVE: "remove"}


class ObjectEvent(Struct, frozen=True):
    """What happened to an object: node, service, network, secret or config."""

    Type: str
    Action: str
    ID: str
    Attributes: dict[str, str]


def to_object_event(event: Event) -> ObjectEvent | None:
    """Return what is told of a change; None when nothing is.

    A service or network that goes with its last task is told to be gone when it was removed.
    """
    new, old = event.object, event.old
    action = _ACTIONS[event.action]
    if isinstance(new, Service | Network) and new.is_removed:
        if old is None or old.is_removed:
            return None
        action = "remove"
    attributes = _changes(new, old) if action == "update" else {}
    if action == "update" and not attributes and new.spec == old.spec:
        return None
    return ObjectEvent(event.kind, action, new.id, {"name": _name(new), **attributes})


def _name(found: Any) -> str:
    if isinstance(found, Node):
        return found.spec.Name or found.description.Hostname
    name: str = found.spec.Name
    return name


def _changes(new: Any, old: Any) -> dict[str, str]:
    match new, old:
        case Node(), Node():
            return _told(_node_values(new), _node_values(old))
        case Service(), Service():
            return _told(_service_values(new), _service_values(old))
        case _:
            return {}


def _told(new: Mapping[str, str], old: Mapping[str, str]) -> dict[str, str]:
    """Return `<what>.old` and `<what>.new` of what differs; what was not there has no old."""
    found: dict[str, str] = {}
    for what, value in new.items():
        before = old.get(what, "")
        if value != before and value:
            found |= {f"{what}.old": before} if before else {}
            found[f"{what}.new"] = value
    return found


def _node_values(node: Node) -> dict[str, str]:
    return {
        "availability": node.spec.Availability or "active",
        "role": node.role,
        "state": node.status.State,
    }


def _service_values(service: Service) -> dict[str, str]:
    container = service.spec.TaskTemplate.ContainerSpec
    return {
        "image": container.Image if container is not None else "",
        "replicas": _replicas(service.spec),
        "updatestate": service.update_status.State if service.update_status is not None else "",
    }


def _replicas(spec: ServiceSpec) -> str:
    replicated = spec.Mode.Replicated
    if replicated is None:
        return ""
    return str(1 if replicated.Replicas is None else replicated.Replicas)
