"""Managers that do as a test says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from agent.ports.manager_process import Child, ManagerArguments, ManagerFailed, Ready


class FakeChild:
    """Fulfils `Child`: serves at once, or fails at once, and ends when told."""

    def __init__(self, word: Ready | ManagerFailed) -> None:
        self._word = word
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.stops = 0

    async def ready(self) -> Ready:
        """Return or raise what the test said."""
        if isinstance(self._word, ManagerFailed):
            raise self._word
        return self._word

    async def ended(self) -> int:
        """Return when `end` or `stop` was called."""
        return await asyncio.shield(self._code)

    async def stop(self) -> None:
        """End it."""
        self.stops += 1
        self.end(0)

    def end(self, code: int) -> None:
        """Let it end by itself."""
        if not self._code.done():
            self._code.set_result(code)


@dataclass
class FakeLauncher:
    """Fulfils `Launcher`; `words` are those of the managers to come, the last one repeated."""

    words: list[Ready | ManagerFailed]
    launched: list[tuple[ManagerArguments, FakeChild]] = field(default_factory=list)

    async def launch(self, arguments: ManagerArguments) -> Child:
        """Start one."""
        word = self.words.pop(0) if len(self.words) > 1 else self.words[0]
        child = FakeChild(word)
        self.launched.append((arguments, child))
        return child
