"""`make bench-swarm`: services beside Debian's dockerd, in one run, as ratios; then a lost node.

Both daemons are swarms of one node on this machine. What happens when a node dies is measured on
three hosts in namespaces, ours alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from bench.measure import Case, Result, measure, render
from bench.servers import Server
from bench.store import Report
from bench.swarm_cases import CASES, Service
from bench.swarms import swarms
from tests.cluster.hosts import hosts_on_a_lan
from tests.cluster.swarm import swarm_of
from tests.root.images import busybox_archive

_LOST_LIMIT_S = 6.0


def main() -> int:
    """Measure; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="bench.swarm_services", description=__doc__)
    parser.add_argument("--only", default="", help="run the cases whose name holds this text")
    parser.add_argument("--rounds", type=int, help="rounds of every case, instead of its own")
    parser.add_argument("--alone", action="store_true", help="measure ours only")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench needs root")
    chosen = [case for case in CASES if options.only in case.name]
    results = beside(chosen, options.rounds, alone=options.alone) if chosen else []
    print("\n" + render(results))
    missed = sum(result.meets() is False for result in results)
    if options.only in "lost node":
        missed += lost_node()
    return int(missed > 0)


def beside(cases: Sequence[Case], rounds: int | None, *, alone: bool) -> list[Result]:
    """Run the cases on both daemons in turn."""
    results: list[Result] = []
    with swarms(alone=alone) as servers:
        for server in servers:
            server.docker("load", stdin=busybox_archive())
        for case in cases:
            results.append(measure(case, servers, rounds))
            print(render(results[-1:]).splitlines()[-1], flush=True)
    return results


def lost_node() -> int:
    """Kill a host with all that runs on it, until its tasks run elsewhere; return the misses."""
    report = Report()
    with hosts_on_a_lan(3) as hosts:
        swarm_of(hosts, 1, "5s")
        for host in hosts:
            host.docker("load", stdin=busybox_archive())
        first, victim = hosts[0], hosts[2]
        found = Service(Server("skep", first.url, "", 0), 6)
        found.until(lambda: len(found.running()) == 6)
        lost = next(
            node["ID"]
            for node in found.api.call("GET", "/nodes")
            if node["Description"]["Hostname"] == victim.hostname
        )
        start = time.perf_counter()
        victim.crash()
        found.until(lambda: sum(task["NodeID"] != lost for task in found.running()) == 6)
        report.add("lost node's tasks elsewhere", time.perf_counter() - start, "s",
                   _LOST_LIMIT_S, least=False)  # fmt: skip
        found.api.call("DELETE", f"/services/{found.id}")
    return report.missed


if __name__ == "__main__":
    sys.exit(main())
