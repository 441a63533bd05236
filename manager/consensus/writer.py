"""The worker that brings what consensus wants stored to the disk, in order.

While one batch is being written, later ones wait and are then written together: many proposals
share an fsync. A batch's responses leave only once it is durable; a leader's appends to others have
left before, for a copy there is as good as a copy here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import Entry, HardState, Message, Snapshot, SnapshotMeta
from manager.ports.log import Batch, Log, StoredSnapshot

Deliver = Callable[[Message], None]


class Writer:
    """Takes messages of kind STORAGE_APPEND."""

    def __init__(
        self,
        log: Log,
        mirror: MemoryLog,
        hard_state: HardState,
        staged: Callable[[SnapshotMeta], StoredSnapshot],
        deliver: Deliver,
        restore: Callable[[StoredSnapshot], Awaitable[None]],
        answered: Callable[[], None],
    ) -> None:
        """Begin.

        mirror:       the log in memory, brought up to date once the disk is.
        staged:       gives the staged pieces of a received snapshot.
        restore:      makes a received snapshot that is durable the state, before its responses
                      leave.
        answered:     called when the responses to a write have been delivered.
        """
        self._log = log
        self._mirror = mirror
        self._written = self._latest = hard_state
        self._staged = staged
        self._deliver = deliver
        self._restore = restore
        self._answered = answered
        self._waiting: list[Message] = []
        self._filled = asyncio.Event()
        self._is_writing = False

    def put(self, message: Message) -> None:
        """Take in work. What needs no write and waits for none is answered at once.

        A commit index alone is not worth a write: it goes along with the next one. It must do
        that: an entry after a change of membership may only be acknowledged by who will know,
        after any crash, that the change is in force.
        """
        if message.term:
            self._latest = HardState(term=message.term, vote=message.vote, commit=message.commit)
        if self._is_writing or self._waiting or self._needs_write(message):
            self._waiting.append(message)
            self._filled.set()
        else:
            self._respond(message)

    async def run(self) -> None:
        """Write until cancelled. Errors: LogFailed."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            messages, self._waiting = self._waiting, []
            self._is_writing = True
            await self._write(messages)
            self._is_writing = False
            for message in messages:
                self._respond(message)
            self._answered()

    async def _write(self, messages: Sequence[Message]) -> None:
        if not any(self._needs_write(message) for message in messages):
            return
        snapshot, entries = merge(messages)
        stored = self._staged(snapshot.meta) if snapshot else None
        hard_state = self._latest
        await self._log.write(Batch(entries=entries, hard_state=hard_state, snapshot=stored))
        self._written = hard_state
        self._mirror.set_hard_state(hard_state)
        if snapshot and stored:
            self._mirror.apply_snapshot(snapshot)
            await self._restore(stored)
        self._mirror.append(entries)

    def _needs_write(self, message: Message) -> bool:
        if message.entries or message.snapshot:
            return True
        now = (self._written.term, self._written.vote)
        return message.term != 0 and (message.term, message.vote) != now

    def _respond(self, message: Message) -> None:
        for response in message.responses:
            self._deliver(response)


def merge(messages: Sequence[Message]) -> tuple[Snapshot | None, list[Entry]]:
    """Return what several writes come to: the last snapshot, and the entries after it.

    Entries take the place of what was there from their first index on.
    """
    snapshot: Snapshot | None = None
    entries: list[Entry] = []
    for message in messages:
        if message.snapshot:
            snapshot, entries = message.snapshot, []
        if message.entries:
            if entries:
                kept = message.entries[0].index - entries[0].index
                del entries[max(kept, 0) :]
            entries.extend(message.entries)
    return snapshot, entries
