"""Faults at random for as long as wanted: python -m tests.consensus.soak --seed 7 --seconds 300.

Three members in hosts of their own are killed, frozen, cut off one way or both, made to dump and to
hand over, under load. The history must be linearizable, and all must agree in the end. The seed
chooses faults and moments; processes and kernel add their own chance, so a run is not repeatable.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from tests.cluster.lan import Lan
from tests.consensus.cluster import Cluster, Refused, running
from tests.consensus.test_faults import hand_over, kill_everyone, loaded
from tests.consensus.workload import Workload

_LONGEST_S = 3.0


class Misfortune:
    """What happens, drawn from a seed."""

    def __init__(self, seed: int, lan: Lan, cluster: Cluster, workload: Workload) -> None:
        self._chance = random.Random(seed)
        self._lan = lan
        self._cluster = cluster
        self._workload = workload
        self.happened: Counter[str] = Counter()

    async def strike(self) -> None:
        """Let one thing happen, and end; what it leaves is not always waited for."""
        faults: list[Callable[[], Awaitable[None]]] = [
            self.cut, self.cut, self.kill, self.kill, self.freeze, self.dump, self.kill_all,
            self.hand_over,
        ]  # fmt: skip
        fault = self._chance.choice(faults)
        self.happened[fault.__name__] += 1
        await fault()
        if self._chance.random() < 0.5:
            await self._cluster.whole()

    async def cut(self) -> None:
        leader = self._cluster.nodes.index(await self._cluster.leader())
        one = self._chance.choice([leader, self._chance.randrange(3)])
        others = [each for each in range(3) if each != one]
        match self._chance.randrange(3):
            case 0:
                self._lan.part(one)
            case 1:
                self._lan.cut(one, to=others)
            case _:
                self._lan.cut(*others, to=[one])
        await self._pause()
        self._lan.heal()
        await self._cluster.whole()

    async def kill(self) -> None:
        node = self._chance.choice(self._cluster.nodes)
        node.kill()
        await self._pause()
        node.start()

    async def freeze(self) -> None:
        node = self._chance.choice(self._cluster.nodes)
        node.signal(signal.SIGSTOP)
        await self._pause()
        node.signal(signal.SIGCONT)

    async def dump(self) -> None:
        for node in self._cluster.nodes:
            with suppress(OSError, Refused):
                await node.ask("dump")

    async def kill_all(self) -> None:
        await kill_everyone(self._cluster, self._workload)

    async def hand_over(self) -> None:
        await hand_over(self._cluster, self._workload)

    async def _pause(self) -> None:
        await asyncio.sleep(self._chance.uniform(0, _LONGEST_S))


async def soak(folder: Path, seed: int, seconds: float) -> str:
    """Run for so long; return what happened."""
    lan = Lan(f"soak{os.getpid()}", 3)
    lan.build()
    try:
        async with (
            running(folder, 3, lan, snapshot_entries=40, trailing_entries=10) as cluster,
            loaded(cluster, seed=seed) as workload,
        ):
            misfortune = Misfortune(seed, lan, cluster, workload)
            end_s = time.monotonic() + seconds
            while time.monotonic() < end_s:
                await misfortune.strike()
            await cluster.whole()
        return f"{len(workload.history)} operations, {dict(misfortune.happened)}"
    finally:
        lan.destroy()


def main() -> None:
    """Read the options, and run."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}\n")
    with tempfile.TemporaryDirectory(prefix="skep-soak-") as folder:
        done = asyncio.run(soak(Path(folder), options.seed, options.seconds))
    sys.stdout.write(f"linearizable: {done}\n")


if __name__ == "__main__":
    main()
