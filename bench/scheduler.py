"""`python -m bench.scheduler`: how long the scheduler alone takes, and how that grows.

No store, no network: tasks become pending, the scheduler decides. The curve shows the cost of one
task at each size: it must grow like log(nodes), and not with the number of services either.
Seconds are of the processor, for nothing here waits: beside other work the clock shows more.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Sequence

from msgspec import Struct

from api.types.nodes import NodeDescription, NodeRole, NodeSpec, NodeStatus
from api.types.resources import ResourceObject, ResourceRequirements
from api.types.tasks import (
    Placement,
    PlacementPreference,
    SpreadOver,
    TaskSpec,
    TaskState,
    TaskStatus,
)
from manager.core.objects.node import Node
from manager.core.objects.task import Task
from manager.core.scheduler.place import Assignment
from manager.core.scheduler.scheduler import Scheduler

PLAIN = TaskSpec()
CHOOSY = TaskSpec(
    Placement=Placement(
        Constraints=["node.labels.disk==ssd", "node.role!=manager"],
        Preferences=[
            PlacementPreference(SpreadOver("node.labels.zone")),
            PlacementPreference(SpreadOver("node.labels.rack")),
        ],
    ),
    Resources=ResourceRequirements(
        Reservations=ResourceObject(NanoCPUs=10_000_000, MemoryBytes=8 << 20)
    ),
)
_CLUSTER = NodeDescription(
    Hostname="node", Resources=ResourceObject(NanoCPUs=64 * 10**9, MemoryBytes=256 << 30)
)


class Load(Struct, frozen=True):
    """What to schedule, and how many seconds it may take."""

    name: str
    spec: TaskSpec
    nodes: int
    tasks: int
    services: int = 100
    limit_s: float | None = None


LOADS: Sequence[Load] = (
    Load("plain", PLAIN, 50, 10_000),
    Load("plain", PLAIN, 500, 10_000),
    Load("plain", PLAIN, 5_000, 10_000),
    Load("plain", PLAIN, 5_000, 30_000),
    Load("plain", PLAIN, 5_000, 100_000, limit_s=5.0),
    Load("plain, one service", PLAIN, 5_000, 100_000, services=1, limit_s=5.0),
    Load("plain, many services", PLAIN, 5_000, 100_000, services=5_000, limit_s=5.0),
    Load("choosy", CHOOSY, 50, 10_000),
    Load("choosy", CHOOSY, 500, 10_000),
    Load("choosy", CHOOSY, 5_000, 10_000),
    Load("choosy", CHOOSY, 5_000, 30_000),
    Load("choosy", CHOOSY, 5_000, 100_000, limit_s=10.0),
    Load("choosy, one service", CHOOSY, 5_000, 100_000, services=1, limit_s=10.0),
    Load("choosy, many services", CHOOSY, 5_000, 100_000, services=5_000, limit_s=10.0),
)


def main() -> int:
    """Print the curve; 1 when a limit is passed or a task finds no node."""
    print(
        f"{'load':24}{'nodes':>8}{'tasks':>9}{'services':>10}{'seconds':>10}{'us/task':>9}  limit"
    )
    has_failed = False
    for load in LOADS:
        seconds, placed = measure(load)
        limit = "" if load.limit_s is None else f"{load.limit_s:5.1f} s"
        has_failed |= placed != load.tasks or seconds > (load.limit_s or seconds)
        print(
            f"{load.name:24}{load.nodes:8}{load.tasks:9}{load.services:10}"
            f"{seconds:10.2f}{seconds / load.tasks * 1e6:9.1f}  {limit}"
        )
    return int(has_failed)


def measure(load: Load) -> tuple[float, int]:
    """Return the seconds from the first pending task to the last decision, and tasks placed."""
    scheduler = Scheduler()
    for index in range(load.nodes):
        scheduler.set_node(_node(index))
    tasks = [_task(index, load) for index in range(load.tasks)]
    gc.collect()
    started = time.process_time()
    for task in tasks:
        scheduler.set_task(task, 0)
    placed = sum(
        isinstance(decision, Assignment) for batch in scheduler.schedule(0) for decision in batch
    )
    return time.process_time() - started, placed


def _node(index: int) -> Node:
    labels = {
        "zone": f"zone{index % 5}",
        "rack": f"rack{index % 50}",
        "disk": "ssd" if index % 2 else "hdd",
    }
    return Node(
        id=f"node{index:05}",
        role=NodeRole.WORKER,
        spec=NodeSpec(Role="worker", Availability="active", Labels=labels),
        description=_CLUSTER,
        status=NodeStatus(State="ready"),
    )


def _task(index: int, load: Load) -> Task:
    return Task(
        id=f"task{index:06}",
        service_id=f"service{index % load.services}",
        spec=load.spec,
        desired_state=TaskState.RUNNING,
        status=TaskStatus(State=TaskState.PENDING),
    )


if __name__ == "__main__":
    sys.exit(main())
