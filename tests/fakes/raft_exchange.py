"""Members of a consensus in one process, joined by a network that a test can cut."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from manager.consensus.beginnings import begin_cluster
from manager.consensus.consensus import Consensus
from manager.consensus.roster import Seat
from manager.consensus.settings import Settings
from manager.core.raft.messages import Message
from manager.ports.peers import MemberRemoved, PeerEvents, SnapshotNotSent
from tests.consensus.registers import Registers
from tests.fakes.clock import FakeClock
from tests.fakes.raft_log import FakeLog


class FakePeers:
    """Fulfils `Peers`: hands messages to the other members of an exchange."""

    def __init__(self, exchange: Exchange, raft_id: int) -> None:
        self._exchange = exchange
        self._raft_id = raft_id
        self._events: PeerEvents | None = None

    def update(self, addresses: Mapping[int, str]) -> None:
        pass

    def hint(self, raft_id: int, address: str) -> None:
        pass

    def send(self, message: Message) -> None:
        asyncio.get_running_loop().call_soon(self._carry, message)

    async def send_snapshot(self, message: Message, pieces: AsyncIterator[bytes]) -> None:
        to = self._exchange.reached(self._raft_id, message.to)
        if to is None:
            raise SnapshotNotSent("cut off")
        await to.inbound.receive_snapshot(self._raft_id, message, pieces)

    async def run(self, events: PeerEvents) -> None:
        self._events = events
        await asyncio.Event().wait()

    def _carry(self, message: Message) -> None:
        self._exchange.sent.append(message)
        to = self._exchange.reached(self._raft_id, message.to)
        if to is not None:
            try:
                to.inbound.receive(self._raft_id, [message])
            except MemberRemoved:
                if self._events:
                    self._events.on_removed()
        elif self._events:
            self._events.on_unreachable(message.to)


class Exchange:
    """The members by raft id: their logs, their registers, and who is cut off."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.clock = FakeClock()
        self.logs: dict[int, FakeLog] = {}
        self.members: dict[int, Consensus] = {}
        self.registers: dict[int, Registers] = {}
        self.cut: set[int] = set()
        self.sent: list[Message] = []
        self._running: dict[int, asyncio.Task[None]] = {}

    async def start(self, raft_id: int) -> Consensus:
        """Start a member from its log, which is empty at first."""
        log = self.logs.setdefault(raft_id, FakeLog(raft_id))
        self.registers[raft_id] = Registers()
        member = self.members[raft_id] = Consensus(
            seat=seat(raft_id),
            log=log,
            stored=log.stored(),
            peers=FakePeers(self, raft_id),
            machine=self.registers[raft_id],
            clock=self.clock,
            random_below=random.Random(raft_id).randrange,
            settings=self.settings,
        )
        self._running[raft_id] = asyncio.create_task(member.run())
        await member.running()
        return member

    async def stop(self, raft_id: int) -> None:
        """End a member as a crash does."""
        self.members.pop(raft_id)
        task = self._running.pop(raft_id)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    def failure(self, raft_id: int) -> BaseException | None:
        """Return why a member has ended, None while it runs."""
        task = self._running[raft_id]
        return task.exception() if task.done() else None

    def reached(self, sender: int, to: int) -> Consensus | None:
        """Return the member that a message gets to."""
        return None if {sender, to} & self.cut else self.members.get(to)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Let time pass, tick by tick, until a condition holds."""
        for _ in range(400):
            for _ in range(30):
                if condition():
                    return
                await asyncio.sleep(0)
            self.clock.advance(self.settings.tick_s)
        raise AssertionError(f"waited in vain for {what}")

    async def leader(self, *among: int) -> Consensus:
        """Return the member that leads, once one does."""

        def leading() -> list[Consensus]:
            return [
                member
                for raft_id, member in self.members.items()
                if member.is_leader and (not among or raft_id in among)
            ]

        await self.until(lambda: bool(leading()), "a leader")
        return leading()[0]


def seat(raft_id: int) -> Seat:
    """Return where a member sits."""
    return Seat(f"node{raft_id}", f"host{raft_id}:2377")


@asynccontextmanager
async def exchange(count: int, settings: Settings | None = None) -> AsyncIterator[Exchange]:
    """Lend so many voters, numbered from 1; 1 leads at first."""
    made = Exchange(settings)
    try:
        made.logs[1] = FakeLog(1)
        await begin_cluster(made.logs[1], made.logs[1].stored(), seat(1))
        first = await made.start(1)
        await made.leader()
        for raft_id in range(2, count + 1):
            await made.start(raft_id)
            adding = asyncio.create_task(first.membership.add(raft_id, seat(raft_id)))
            await made.until(adding.done, "a member to be added")
            await adding
        await made.until(
            lambda: all(
                member.membership.is_voter and len(member.membership.known()) == count
                for member in made.members.values()
            ),
            "all to vote",
        )
        yield made
    finally:
        for raft_id in list(made.members):
            with suppress(Exception):
                await made.stop(raft_id)
