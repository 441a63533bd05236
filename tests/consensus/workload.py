"""Clients that read and write registers, and remember what they saw."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from tests.consensus.cluster import Client, Node, Refused
from tests.sim.linearizability import NEVER, UNKNOWN, Operation

_CERTAINLY_NOT = {"NotLeader", "NotDone", "Superseded", "NoLeader"}
_ANSWER_S = 4.0
_KINDS: Sequence[Literal["read", "write", "swap"]] = ("read", "read", "write", "swap")


class Workload:
    """Concurrent clients of a cluster; `history` is what the checker wants.

    What is certainly not done leaves no trace: if it ever shows, the history is impossible.
    """

    def __init__(self, nodes: Sequence[Node], clients: int, registers: int, seed: int) -> None:
        self._nodes = nodes
        self._clients = clients
        self._registers = registers
        self._seed = seed
        self._values = itertools.count(1)
        self._is_over = False
        self.history: list[Operation] = []
        self.outcomes: Counter[str] = Counter()

    async def run(self) -> None:
        """Let the clients work until `stop`."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._clients):
                group.create_task(self._work(random.Random(self._seed * 1000 + number)))

    def stop(self) -> None:
        """Let each client end what it does."""
        self._is_over = True

    async def progress(self, count: int, limit_s: float = 30) -> None:
        """Return when so many more operations were answered."""
        goal = self.outcomes["ok"] + count
        deadline = time.monotonic() + limit_s
        while self.outcomes["ok"] < goal:
            assert time.monotonic() < deadline, f"no progress: {self.outcomes}"
            await asyncio.sleep(0.01)

    async def _work(self, chance: random.Random) -> None:
        node = chance.choice(self._nodes)
        client, seen = Client(node.socket), 0
        while not self._is_over:
            kind = chance.choice(_KINDS)
            key = f"r{chance.randrange(self._registers)}"
            outcome, value = await self._operate(client, kind, key, seen)
            self.outcomes[outcome] += 1
            if value is not None:
                seen = value
            if outcome != "ok":
                client.close()
                client = Client(chance.choice(self._nodes).socket)
                await asyncio.sleep(0.01)
        client.close()

    async def _operate(
        self, client: Client, kind: Literal["read", "write", "swap"], key: str, seen: int
    ) -> tuple[str, int | None]:
        """Do one operation and note it; return how it ended, and what was read."""
        value = 0 if kind == "read" else next(self._values)
        given: dict[str, Any] = {"key": key}
        if kind != "read":
            given["value"] = value
        if kind == "swap":
            given["expected"] = seen
        begin = time.monotonic()
        try:
            async with asyncio.timeout(_ANSWER_S):
                answer = await client.ask(kind, **given)
        except Refused as error:
            if error.args[0] in _CERTAINLY_NOT:
                return "certainly not", None
            if error.args[0] != "OutcomeUnknown":
                raise
            outcome = "unknown"
        except (FileNotFoundError, ConnectionRefusedError):
            return "not reached", None
        except (OSError, TimeoutError):
            outcome = "lost"
        else:
            end = time.monotonic()
            found = answer["value"] if kind == "read" else value
            done = answer["done"] if kind == "swap" else UNKNOWN
            self.history.append(Operation(kind, key, found, begin, end, seen, done))
            return "ok", found if kind == "read" else None
        if kind != "read":
            self.history.append(Operation(kind, key, value, begin, NEVER, seen))
        return outcome, None
