"""Transfers that several share: each blob is sent once, however many ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from engine.settings import LiveSettings, Settings

Report = Callable[[int], None]


class Listener(Protocol):
    """Who waits for a transfer."""

    def queued(self) -> None:
        """Hear that all slots are taken."""

    def moved(self, current: int) -> None:
        """Hear how many bytes there are."""


@dataclass(slots=True)
class _Transfer:
    task: asyncio.Task[None]
    listeners: list[Listener] = field(default_factory=list)
    is_queued: bool = False
    is_abandoned: bool = False


def concurrent_downloads(settings: Settings) -> int:
    """Return how many blobs may come at a time."""
    return settings.max_concurrent_downloads


def concurrent_uploads(settings: Settings) -> int:
    """Return how many blobs may go at a time."""
    return settings.max_concurrent_uploads


class Transfers:
    """Running transfers by key, at most so many at work at a time as the settings say now."""

    def __init__(
        self, settings: LiveSettings, width: Callable[[Settings], int] = concurrent_downloads
    ) -> None:
        self._settings = settings
        self._width = width
        self._running: dict[str, _Transfer] = {}
        self._limit = 0
        self._slots = asyncio.Semaphore(0)

    async def share(
        self, key: str, work: Callable[[Report], Awaitable[None]], listener: Listener
    ) -> None:
        """Return when the transfer of this key is done, by this caller's work or another's.

        The work goes on while anybody waits for it, and is cancelled when the last one leaves.
        Errors:  what the work raises, to all who wait.
        """
        while (transfer := self._running.get(key)) is not None and transfer.is_abandoned:
            await asyncio.wait([transfer.task])
        if transfer is None:
            transfer = _Transfer(asyncio.create_task(self._run(key, work)))
            self._running[key] = transfer
        transfer.listeners.append(listener)
        if transfer.is_queued:
            listener.queued()
        try:
            await asyncio.shield(transfer.task)
        finally:
            transfer.listeners.remove(listener)
            if not transfer.listeners and not transfer.task.done():
                transfer.is_abandoned = True
                transfer.task.cancel()
                await asyncio.wait([transfer.task])

    async def close(self) -> None:
        """Cancel everything and return when it has ended."""
        tasks = [transfer.task for transfer in self._running.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, key: str, work: Callable[[Report], Awaitable[None]]) -> None:
        transfer = self._running[key]

        def report(current: int) -> None:
            for each in transfer.listeners:
                each.moved(current)

        try:
            slots = self._current_slots()
            if slots.locked():
                transfer.is_queued = True
                for each in transfer.listeners:
                    each.queued()
            async with slots:
                transfer.is_queued = False
                await work(report)
        finally:
            del self._running[key]

    def _current_slots(self) -> asyncio.Semaphore:
        """Return the slots; after a reload that changed their number, new ones."""
        limit = max(1, self._width(self._settings.current))
        if limit != self._limit:
            self._limit, self._slots = limit, asyncio.Semaphore(limit)
        return self._slots
