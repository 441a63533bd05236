"""The loops that bring services from their spec to assigned tasks, and keep them there."""

from __future__ import annotations

import time
from collections.abc import Mapping

from manager.leader import Loop
from manager.loops.allocate import AllocateLoop
from manager.loops.enforce import EnforceLoop
from manager.loops.orchestrate import OrchestrateLoop
from manager.loops.orphans import OrphanLoop
from manager.loops.reap import ReapLoop
from manager.loops.schedule import ScheduleLoop
from manager.ports.clock import Clock
from manager.ports.store import Store


def services_loops(store: Store, clock: Clock) -> Mapping[str, Loop]:
    """Return them by name, for one term of leadership."""
    return {
        "orchestrate": OrchestrateLoop(store, clock, time.time_ns).run,
        "allocate": AllocateLoop(store, clock).run,
        "schedule": ScheduleLoop(store, clock, time.time_ns).run,
        "reap": ReapLoop(store, clock).run,
        "enforce": EnforceLoop(store, clock).run,
        "orphans": OrphanLoop(store, clock, time.time_ns).run,
    }
