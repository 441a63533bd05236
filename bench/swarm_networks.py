"""`make bench-networks`: overlay networks on hosts in namespaces, ours alone.

Figures are ratios of pairs that were taken side by side, or counts, wherever they can be.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from functools import partial

from bench.network_changes import changes
from bench.network_cluster import Bed, swarm_bed
from bench.network_names import names
from bench.network_reach import reach
from bench.network_speed import speed
from bench.network_steady import steady
from bench.store import Report

CASES = ("changes", "steady", "speed", "names", "reach")


def main() -> int:
    """Measure; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="bench.swarm_networks", description=__doc__)
    parser.add_argument("--only", default="", help=f"one of {', '.join(CASES)}")
    parser.add_argument("--rate", type=float, default=500.0, help="requests/s of steady clients")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench needs root")
    # What is interrupted takes its hosts away, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    report = Report()
    if options.only in "changes":
        changes(report)
    cases: dict[str, Callable[[Bed, Report], None]] = {
        "steady": partial(steady, rate=options.rate),
        "speed": speed,
        "names": names,
        "reach": reach,
    }
    chosen = [case for name, case in cases.items() if options.only in name]
    if chosen:
        with swarm_bed(3) as bed:
            for case in chosen:
                case(bed, report)
    return int(report.missed > 0)


if __name__ == "__main__":
    sys.exit(main())
