"""The other members of the consensus, and the way to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from api.errors import Conflict, Forbidden, Unavailable
from manager.core.raft.messages import Message


class MemberRemoved(Forbidden):
    """The sender is no member any more: it must not take part."""

    def __init__(self, raft_id: int) -> None:
        super().__init__(f"raft member {raft_id} was removed from the cluster")


class WrongMember(Conflict):
    """The message is for another member than the one at this address."""

    def __init__(self, raft_id: int) -> None:
        super().__init__(f"raft member {raft_id} is not here")


class SnapshotNotSent(Unavailable):
    """A snapshot did not reach the other member as a whole."""


class PeerEvents(Protocol):
    """What is heard on the way; called on the event loop."""

    def on_unreachable(self, raft_id: int) -> None:
        """Take in that messages to a member were lost."""
        ...

    def on_removed(self) -> None:
        """Take in that a member says that this one was removed."""
        ...


class Peers(Protocol):
    """Carries messages to other members: in order, or not at all, and never waits."""

    def update(self, addresses: Mapping[int, str]) -> None:
        """Know these members by their `host:port`, and no others."""
        ...

    def hint(self, raft_id: int, address: str) -> None:
        """Know a member that `update` has not named yet, or reach it at another address."""
        ...

    def send(self, message: Message) -> None:
        """Queue a message to `message.to`; what does not fit or arrive is told as unreachable."""
        ...

    async def send_snapshot(self, message: Message, pieces: AsyncIterator[bytes]) -> None:
        """Send a message of kind SNAPSHOT and the dump; return when the other has it on disk.

        Errors: SnapshotNotSent.
        """
        ...

    async def run(self, events: PeerEvents) -> None:
        """Carry messages until cancelled."""
        ...
