"""A log of one manager: entries are applied when the test says so, or fail as it says."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from manager.ports.outcomes import NotDone, NotLeader, OutcomeUnknown


class FakeProposer:
    """Applies every entry at once, unless told otherwise.

    hold:     entries wait until `release`.
    fates:    what happens to the next entries: "apply", "drop", "depose", "lose" (unknown, and
              never applied), "surprise" (unknown, and applied afterwards).
    keep:     whether entries are kept in `entries`.
    """

    def __init__(self, apply: Callable[[int, bytes], None], index: int = 0) -> None:
        self._apply = apply
        self.index = index
        self.entries: list[tuple[int, bytes]] = []
        self.fates: deque[str] = deque()
        self.is_leader = True
        self.keep = True
        self._gate = asyncio.Event()
        self._gate.set()
        self.arrived = asyncio.Event()

    def hold(self) -> None:
        """Let entries wait."""
        self._gate.clear()
        self.arrived.clear()

    def release(self) -> None:
        """Let them go on."""
        self._gate.set()

    def commit(self, data: bytes) -> int:
        """Append an entry and apply it, as if any manager had proposed it."""
        self.index += 1
        if self.keep:
            self.entries.append((self.index, data))
        self._apply(self.index, data)
        return self.index

    async def propose(self, data: bytes) -> int:
        """As the port says."""
        self.arrived.set()
        await self._gate.wait()
        await asyncio.sleep(0)
        if not self.is_leader:
            raise NotLeader
        match self.fates.popleft() if self.fates else "apply":
            case "drop":
                raise NotDone("dropped")
            case "depose":
                raise NotLeader
            case "lose":
                raise OutcomeUnknown
            case "surprise":
                asyncio.get_running_loop().call_soon(self.commit, data)
                raise OutcomeUnknown
        return self.commit(data)

    async def read_barrier(self) -> None:
        """As the port says."""
        self.arrived.set()
        await self._gate.wait()
