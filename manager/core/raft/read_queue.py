"""Reads that a leader has not answered yet."""

from __future__ import annotations

from manager.core.raft.messages import Message


class WaitingRead:
    """A read, the commit index when it was asked for, and who confirmed the leader since."""

    __slots__ = ("acks", "index", "request")

    def __init__(self, request: Message, index: int, leader: int) -> None:
        self.request = request
        self.index = index
        self.acks = {leader: True}


class ReadQueue:
    """Reads in the order asked. Each has a number, which heartbeats carry to and fro.

    The leader's own numbers, not the callers' contexts, tell reads apart: two members may well
    use the same context.
    """

    __slots__ = ("_next", "early", "waiting")

    def __init__(self) -> None:
        self._next = 1
        self.early: list[Message] = []
        self.waiting: dict[int, WaitingRead] = {}

    def add(self, request: Message, index: int, leader: int) -> bytes:
        """Queue a read; return the context for the heartbeats that confirm it."""
        number = self._next
        self._next += 1
        self.waiting[number] = WaitingRead(request, index, leader)
        return number.to_bytes(8, "big")

    def last_context(self) -> bytes:
        """Return the context that confirms all that wait, empty if none does."""
        return (self._next - 1).to_bytes(8, "big") if self.waiting else b""

    def acknowledge(self, context: bytes, sender: int) -> WaitingRead | None:
        """Note that a member answered the heartbeat of a read; return that read if it waits."""
        read = self.waiting.get(int.from_bytes(context, "big"))
        if read:
            read.acks[sender] = True
        return read

    def release(self, context: bytes) -> list[WaitingRead]:
        """Take out a read that was confirmed, and with it all that were asked before."""
        last = int.from_bytes(context, "big")
        done = [number for number in self.waiting if number <= last]
        return [self.waiting.pop(number) for number in done]
