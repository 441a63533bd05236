"""Which nodes a list shows."""

from __future__ import annotations

from api.errors import InvalidArgument
from api.filters import Filters
from api.types.nodes import NodeRole
from manager.cluster.object_filters import has_labels, labels_wanted, starts
from manager.core.objects.node import Node

_ACCEPTED = frozenset({"id", "label", "membership", "name", "node.label", "role"})
_MEMBERSHIPS = frozenset({"accepted", "pending"})


class NodeFilters:
    """The filters of GET /nodes. Errors: InvalidArgument for what Docker does not know."""

    def __init__(self, filters: Filters) -> None:
        filters.check(_ACCEPTED)
        self._ids = filters.get("id", ())
        self._names = filters.get("name", ())
        self._roles = _checked("role", filters.get("role", ()), frozenset(NodeRole))
        self._memberships = _checked("membership", filters.get("membership", ()), _MEMBERSHIPS)
        self._engine_labels = labels_wanted(filters.get("label", ()))
        self._node_labels = labels_wanted(filters.get("node.label", ()))

    def fits(self, node: Node) -> bool:
        """Tell whether a node is to be shown. Every node here is an accepted one."""
        return (
            starts(node.id, self._ids)
            and starts(node.description.Hostname, self._names)
            and (not self._roles or node.spec.Role in self._roles)
            and (not self._memberships or "accepted" in self._memberships)
            and has_labels(node.description.Engine.Labels, self._engine_labels)
            and has_labels(node.spec.Labels, self._node_labels)
        )


def _checked(key: str, values: tuple[str, ...], known: frozenset[str]) -> tuple[str, ...]:
    for value in values:
        if value not in known:
            raise InvalidArgument(f"invalid {key} filter: '{value}'")
    return values
