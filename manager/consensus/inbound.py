"""Where messages of other members come in: who may say what, and snapshots on their way to disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import structlog

from api.errors import Conflict, Forbidden, InvalidArgument
from manager.consensus.roster import Roster
from manager.core.raft.messages import Message, MessageKind, SnapshotMeta
from manager.core.raft.raft import Raft
from manager.ports.clock import Clock
from manager.ports.log import Log, StoredSnapshot
from manager.ports.peers import MemberRemoved, Peers, WrongMember

log = structlog.get_logger(__name__)


class Applied(Protocol):
    """How far this member is."""

    point: SnapshotMeta
    roster: Roster


_FROM_LEADERS_OR_CANDIDATES = frozenset(
    {MessageKind.APPEND, MessageKind.HEARTBEAT, MessageKind.VOTE, MessageKind.PRE_VOTE}
)


class Inbound:
    """Messages and snapshots from others; knows where each of them was last heard of."""

    def __init__(
        self,
        raft_id: int,
        raft: Raft,
        log_: Log,
        peers: Peers,
        applied: Callable[[], Applied],
        step: Callable[[Message], None],
        clock: Clock,
    ) -> None:
        self._raft_id = raft_id
        self._raft = raft
        self._log = log_
        self._peers = peers
        self._applied = applied
        self._step = step
        self._clock = clock
        self._said: dict[int, str] = {}
        self._heard_s: dict[int, float] = {}
        self._arrived: StoredSnapshot | None = None
        self._is_receiving = False
        self._is_told_off = False

    def tell_off(self) -> None:
        """Take no part any more: another member says that this one was removed.

        Managers that were left out of a cluster that was forced anew would otherwise go on as the
        one that was, a majority among themselves.
        """
        self._is_told_off = True

    def greet(self, sender: int, receiver: int, address: str, node_id: str) -> None:
        """Admit a stream of messages.

        node_id:  by the sender's certificate; "" where there is none.
        Errors:   WrongMember, MemberRemoved, Forbidden when the sender is another node's member.
        """
        if receiver != self._raft_id:
            raise WrongMember(receiver)
        roster = self._applied().roster
        self._refuse_removed(sender)
        seat = roster.seats.get(sender)
        if seat is not None and node_id and seat.node_id != node_id:
            raise Forbidden(f"raft member {sender} is not node {node_id}")
        if address and sender != self._raft_id and self.address(sender) != address:
            self._said[sender] = address
            self._peers.hint(sender, address)

    def receive(self, sender: int, messages: Sequence[Message]) -> None:
        """Take in messages of an admitted stream. Errors: MemberRemoved, InvalidArgument."""
        self._refuse_removed(sender)
        self._heard_s[sender] = self._clock.now_s()
        for message in messages:
            if message.sender != sender or message.kind is MessageKind.SNAPSHOT:
                raise InvalidArgument("a raft message of somebody else, or at the wrong place")
            if not self._is_told_off or message.kind not in _FROM_LEADERS_OR_CANDIDATES:
                self._step(message)

    async def receive_snapshot(
        self, sender: int, message: Message, pieces: AsyncIterator[bytes]
    ) -> None:
        """Take in a snapshot; return once its pieces are on disk.

        Errors:  MemberRemoved, InvalidArgument, Conflict while another one is coming in, and
                 whatever `pieces` raises: nothing is left of it then.
        """
        self._refuse_removed(sender)
        snapshot = message.snapshot
        if message.sender != sender or message.kind is not MessageKind.SNAPSHOT or snapshot is None:
            raise InvalidArgument("a raft message of somebody else, or at the wrong place")
        if self._is_receiving:
            raise Conflict("a snapshot is being received already")
        self._is_receiving = True
        try:
            await self._drop_ignored()
            if snapshot.meta.index > self._applied().point.index:
                self._arrived = await self._stage(snapshot.meta, snapshot.data, pieces)
            self._heard_s[sender] = self._clock.now_s()
            self._step(message)
        finally:
            self._is_receiving = False

    def staged(self, meta: SnapshotMeta) -> StoredSnapshot:
        """Hand over the pieces of a snapshot that consensus took in."""
        arrived, self._arrived = self._arrived, None
        assert arrived is not None, "a snapshot without pieces was taken in"
        assert arrived.meta == meta, "another snapshot than the one that arrived was taken in"
        return arrived

    def on_roster(self, roster: Roster) -> None:
        """Know the members, and those that have spoken but are not known as such yet."""
        self._said = {
            sender: address
            for sender, address in self._said.items()
            if sender not in roster.removed and roster.address(sender) != address
        }
        self._peers.update({**roster.addresses(), **self._said})

    def address(self, raft_id: int) -> str | None:
        """Return where a member is reached: where it said, or else where the log says."""
        return self._said.get(raft_id) or self._applied().roster.address(raft_id)

    def moved(self) -> dict[int, str]:
        """Return the members that say another address than the log does."""
        seats = self._applied().roster.seats
        return {sender: address for sender, address in self._said.items() if sender in seats}

    def heard_within(self, raft_id: int, seconds: float) -> bool:
        """Tell whether a member said anything lately."""
        return self._clock.now_s() - self._heard_s.get(raft_id, float("-inf")) <= seconds

    def _refuse_removed(self, sender: int) -> None:
        if sender in self._applied().roster.removed:
            raise MemberRemoved(sender)

    async def _drop_ignored(self) -> None:
        """Forget a snapshot that arrived before and that consensus had no use for."""
        if self._arrived is not None and not self._raft.has_ready():
            arrived, self._arrived = self._arrived, None
            await self._log.drop(arrived.handle)

    async def _stage(
        self, meta: SnapshotMeta, about: bytes, pieces: AsyncIterator[bytes]
    ) -> StoredSnapshot:
        handle, count = await self._log.stage(), 0
        try:
            async for piece in pieces:
                await self._log.write_piece(handle, count, piece)
                count += 1
        except BaseException:
            await self._log.drop(handle)
            raise
        return StoredSnapshot(meta=meta, about=about, pieces=count, handle=handle)
