"""`python -m tests.sim --seeds 1000 --first 1`: run seeds, and name the first that fails."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor

from tests.sim.schedule.cluster import Cluster
from tests.sim.schedule.plan import plan_of


def failure_of(seed: int) -> str | None:
    """Run one seed; return what went wrong."""
    try:
        Cluster(seed, plan_of(seed)).run()
    except Exception:
        return f"seed {seed}: {plan_of(seed)}\n{traceback.format_exc()}"
    return None


def main() -> int:
    """Run what the command line asks for; 1 when a seed fails."""
    parser = argparse.ArgumentParser(prog="tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first one")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    begin = time.monotonic()
    with ProcessPoolExecutor() as pool:
        for done, failure in enumerate(pool.map(failure_of, seeds, chunksize=4), 1):
            if failure is not None:
                pool.shutdown(cancel_futures=True)
                print(failure)  # noqa: T201 - what this command is for
                return 1
            if done % 100 == 0:
                print(f"{done} seeds, {time.monotonic() - begin:.0f} s", flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
