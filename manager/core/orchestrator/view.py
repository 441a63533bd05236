"""What an orchestrator looks at: one service, its tasks, and the nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from api.types.nodes import NodeAvailability, NodeState
from api.types.objects import Driver
from manager.core.objects.node import Node
from manager.core.objects.service import Service
from manager.core.objects.task import Task

NewId = Callable[[], str]
"""Gives an identifier that no object has; chance is the caller's."""


class ServiceView(Struct, frozen=True, kw_only=True):
    """A service as the store has it. log_driver is the cluster's default.

    history_limit is how many ended tasks are kept per slot; negative keeps all. is_rebalanced:
    running tasks may be moved to make the nodes' shares even.
    """

    service: Service
    tasks: list[Task] = field(default_factory=list)
    nodes: Mapping[str, Node] = field(default_factory=dict)
    log_driver: Driver | None = None
    history_limit: int = 5
    is_rebalanced: bool = False


def is_up(node: Node | None) -> bool:
    """Tell whether what a node runs can be believed to run, and be told to stop."""
    return node is not None and node.status.State != NodeState.DOWN


def keeps_tasks(node: Node | None) -> bool:
    """Tell whether tasks may stay on a node: it is not down, and not drained."""
    return (
        node is not None
        and node.status.State != NodeState.DOWN
        and node.spec.Availability != NodeAvailability.DRAIN
    )


def takes_tasks(node: Node) -> bool:
    """Tell whether a node may get new tasks."""
    return (
        node.status.State == NodeState.READY and node.spec.Availability == NodeAvailability.ACTIVE
    )
