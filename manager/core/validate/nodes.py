"""Specs of nodes."""

from __future__ import annotations

from api.errors import InvalidArgument
from api.types.nodes import NodeAvailability, NodeRole, NodeSpec
from manager.core.validate.names import quoted
from manager.core.validate.storable import check_storable


def check_node_spec(spec: NodeSpec) -> None:
    """Refuse a node that cannot be. Errors: InvalidArgument."""
    if spec.Role not in set(NodeRole):
        raise InvalidArgument(f"invalid Role: {quoted(spec.Role)}")
    check_availability(spec.Availability)
    check_storable(spec)


def check_availability(availability: str) -> None:
    """Refuse what is no availability. Errors: InvalidArgument."""
    if availability not in set(NodeAvailability):
        raise InvalidArgument(f"invalid Availability: {quoted(availability)}")
