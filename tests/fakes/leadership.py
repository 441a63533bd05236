"""A cluster's leader as one manager knows it, moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from api.swarm_errors import NoLeader
from manager.ports.leadership import Reply, Request

Serve = Callable[[Request], Awaitable[Reply]]


class FakeLeadership:
    """Leads, follows a leader at an address, or knows none."""

    def __init__(self, *, is_leader: bool = True, leader_address: str | None = None) -> None:
        self.is_leader = is_leader
        self.leader_address = leader_address
        self.barriers = 0
        self._moved = asyncio.Event()

    def move(self, *, is_leader: bool, leader_address: str | None) -> None:
        """Make another one lead."""
        self.is_leader, self.leader_address = is_leader, leader_address
        self._moved.set()
        self._moved = asyncio.Event()

    async def lost(self, address: str) -> None:
        """Return when the leader is elsewhere."""
        while self.leader_address == address:
            await self._moved.wait()

    async def read_barrier(self) -> None:
        """Count; refuse where nobody leads."""
        if not self.is_leader and self.leader_address is None:
            raise NoLeader
        self.barriers += 1


class FakeLeader:
    """Managers by address: what each does with a request."""

    def __init__(self, managers: dict[str, Serve] | None = None) -> None:
        self.managers = managers or {}
        self.asked: list[tuple[str, Request]] = []

    async def connect(self, address: str) -> None:
        """Return at once for a manager that there is, never for another one."""
        if address not in self.managers:
            await asyncio.Event().wait()

    async def forward(self, address: str, request: Request) -> Reply:
        """Let the manager serve it."""
        self.asked.append((address, request))
        return await self.managers[address](request)
