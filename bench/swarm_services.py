"""`make bench-swarm`: services beside Debian's dockerd, in one run, as ratios.

Each daemon has a swarm of one host, then one of three hosts, all in network namespaces of this
machine. Rounds are taken in turn. What the targets are said to be is docs/benchmarks.md's.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence

from bench.swarm_cases import ONE_NODE
from bench.swarm_faults import THREE_NODES
from bench.swarm_measure import HEAD, Case, Result, measure
from bench.swarms import swarms

_CASES = [*ONE_NODE, *THREE_NODES]


def main() -> int:
    """Measure; 1 when a target is missed."""
    names = [case.name for case in _CASES]
    parser = argparse.ArgumentParser(prog="bench.swarm_services", description=__doc__)
    parser.add_argument("--cases", default=",".join(names), help="which, with commas between")
    parser.add_argument("--rounds", type=int, help="rounds of every case, instead of its own")
    parser.add_argument("--alone", action="store_true", help="measure ours only")
    options = parser.parse_args()
    wanted = options.cases.split(",")
    if unknown := set(wanted) - set(names):
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if os.geteuid() != 0:
        sys.exit("bench needs root")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    chosen = [case for case in _CASES if case.name in wanted]
    began_s = time.monotonic()
    print(f"load average at the start: {os.getloadavg()[0]:.1f}\n{HEAD}", flush=True)
    results = [
        result
        for size in (1, 3)
        for result in _beside([each for each in chosen if each.nodes == size], size, options)
    ]
    missed = [f"MISSED {each.figure.name}: {said}" for each in results for said in each.misses()]
    took_s = time.monotonic() - began_s
    print(f"\n{took_s:.0f} s; load average at the end: {os.getloadavg()[0]:.1f}")
    print("\n".join(missed or ["all targets met"]))
    return int(bool(missed))


def _beside(cases: Sequence[Case], size: int, options: argparse.Namespace) -> list[Result]:
    """Run the cases on swarms of this size in turn."""
    if not cases:
        return []
    results: list[Result] = []
    with swarms(size, alone=options.alone) as found:
        for case in cases:
            for result in measure(case, found, options.rounds):
                print(result.line(), flush=True)
                results.append(result)
    return results


def _end(number: int, _frame: object) -> None:
    """End the run once; whoever is impatient meanwhile does not disturb the clean-up."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
