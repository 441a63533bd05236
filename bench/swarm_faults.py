"""Nodes that die, with and without a word, and one that is merely slow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.swarm_cases import SCALE_ON_THREE
from bench.swarm_measure import Case, Figure
from bench.swarm_service import Service, service
from bench.swarms import Swarm
from tests.cluster.lan import kill_all

_REPLICAS = 6
_LIMIT_S = 6.0
# A node that gets a fifth of the time, in pieces; and once nothing for as long as a disk may hang.
_STALL_S, _RUN_S, _STALLS = 1.0, 0.25, 8
_LONG_STALL_S = 2.5
# As long as it takes until a false alarm about the last stall would be raised.
_AFTER_S = 6.0


@contextmanager
def _back_in_the_end(swarm: Swarm) -> Iterator[tuple[Service, str]]:
    """Lend a service with tasks everywhere, and its node that may be lost; that is back after."""
    with service(swarm, _REPLICAS) as found:
        lost = swarm.hosts[-1].info()["NodeID"]
        assert any(each["NodeID"] == lost for each in found.running())
        yield found, lost
        swarm.until_ready()


def killed(swarm: Swarm) -> tuple[float]:
    """Kill all processes of a host, until its tasks run elsewhere: its connections are closed."""
    victim = swarm.hosts[-1]
    with _back_in_the_end(swarm) as (found, lost):
        start = time.perf_counter()
        kill_all(victim.network.processes(victim.number))
        found.until_running(_REPLICAS, lambda each: each["NodeID"] == lost)
        took_s = time.perf_counter() - start
        assert victim.process is not None
        victim.process.wait()
        victim.start()
    return (took_s,)


def silenced(swarm: Swarm) -> tuple[float]:
    """Take a host's link down, until its tasks run elsewhere: nobody is told of anything."""
    victim = swarm.hosts[-1]
    with _back_in_the_end(swarm) as (found, lost):
        start = time.perf_counter()
        victim.network.unplug(victim.number)
        try:
            found.until_running(_REPLICAS, lambda each: each["NodeID"] == lost)
            took_s = time.perf_counter() - start
        finally:
            victim.network.plug(victim.number)
    return (took_s,)


def slow(swarm: Swarm) -> tuple[float]:
    """Stop a node's daemon again and again; return how many tasks were taken off it."""
    victim = swarm.hosts[-1]
    with service(swarm, _REPLICAS) as found:
        before = {each["ID"] for each in found.running()}
        for stall_s in (*[_STALL_S] * _STALLS, _LONG_STALL_S):
            victim.freeze()
            try:
                time.sleep(stall_s)
            finally:
                victim.thaw()
            time.sleep(_RUN_S)
        time.sleep(_AFTER_S)
        return (float(len(before - {each["ID"] for each in found.running()})),)


_MOVED = Figure("tasks taken off a slow node", "tasks", most=0)
_SILENT = Figure("node silent, tasks elsewhere", "s", most=_LIMIT_S)
_KILLED = Figure("node killed, tasks elsewhere", "s", most=_LIMIT_S)
THREE_NODES = [
    SCALE_ON_THREE,
    Case("slow", (_MOVED,), slow, 1, nodes=3),
    Case("silent", (_SILENT,), silenced, 2, nodes=3),
    Case("lost", (_KILLED,), killed, 1, nodes=3),
]
