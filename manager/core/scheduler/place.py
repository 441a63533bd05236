"""Placing tasks of one service and spec version: nodes for them, or words why there are none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from api.types.resources import GenericResource
from manager.core.scheduler.layout import Layout
from manager.core.scheduler.node_info import NodeInfo
from manager.core.scheduler.pipeline import Pipeline
from manager.core.scheduler.requirements import Requirements
from manager.core.scheduler.spread import Known, Tree

ASSIGNED = "scheduler assigned task to node"
CONFIRMED = "scheduler confirmed task can run on preassigned node"


class Assignment(Struct, frozen=True, kw_only=True, gc=False):
    """A task gets a node and generic resources of it; message is for `docker service ps`."""

    task_id: str
    node_id: str
    generic_resources: list[GenericResource]
    message: str = ASSIGNED


class Unplaced(Struct, frozen=True, gc=False):
    """A task stays pending, and why."""

    task_id: str
    reason: str


Decision = Assignment | Unplaced


def place(
    task_ids: Sequence[str],
    needs: Requirements,
    layout: Layout,
    known: Iterable[Known],
    infos: Iterable[NodeInfo],
) -> list[Decision]:
    """Return a decision for each task, and enter the placed ones in their nodes' bookkeeping.

    layout is of the nodes that `Pipeline.lasting` lets pass, infos are all nodes: they are asked
    for their reasons where a task finds none. known are the nodes that know the service.
    Cost:    (tasks + known nodes) x log(nodes).
    """
    tree = Tree(needs, layout, known)
    decisions: list[Decision] = []
    for placed, task_id in enumerate(task_ids):
        info = tree.take()
        if info is None:
            reason = Pipeline(needs).explain(infos)
            decisions.extend(Unplaced(each, reason) for each in task_ids[placed:])
            break
        given = info.assign(task_id, needs)
        decisions.append(Assignment(task_id=task_id, node_id=info.node.id, generic_resources=given))
    tree.close()
    return decisions


def confirm(task_id: str, needs: Requirements, info: NodeInfo | None) -> Decision:
    """Return the decision on a task that was made for one node, as global services' are."""
    infos: Iterable[NodeInfo] = () if info is None else (info,)
    pipeline = Pipeline(needs)
    if info is None or not pipeline.fits(info):
        return Unplaced(task_id, pipeline.explain(infos))
    return Assignment(
        task_id=task_id,
        node_id=info.node.id,
        generic_resources=info.assign(task_id, needs),
        message=CONFIRMED,
    )
