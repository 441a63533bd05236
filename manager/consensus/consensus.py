"""One manager's part in the consensus: propose, read, and be told who leads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import structlog

from api.error_groups import single
from manager.consensus.applier import Applier
from manager.consensus.barriers import Barriers
from manager.consensus.driver import Driver
from manager.consensus.dumps import Dumps
from manager.consensus.inbound import Inbound
from manager.consensus.leadership import Lead, LeadershipNews
from manager.consensus.membership import Membership
from manager.consensus.mirror import Mirror
from manager.consensus.proposals import Proposals
from manager.consensus.roster import Roster, Seat, decode_roster
from manager.consensus.settings import Settings
from manager.consensus.status import ConsensusStatus
from manager.consensus.writer import Writer
from manager.core.raft.config import Config
from manager.core.raft.errors import ProposalDropped
from manager.core.raft.messages import Message, MessageKind, Snapshot, SnapshotMeta
from manager.core.raft.raft import Raft
from manager.core.raft.ready import Ready
from manager.core.raft.status import Role
from manager.ports.clock import Clock
from manager.ports.log import Log, Stored, StoredSnapshot
from manager.ports.outcomes import NotDone, NotLeader
from manager.ports.peers import Peers, SnapshotNotSent
from manager.ports.state_machine import StateMachine

log = structlog.get_logger(__name__)

_MARK_RANGE = 1 << 63


class Consensus:
    """One member. Made, then `run`; everything else may be called while that runs."""

    def __init__(
        self,
        *,
        seat: Seat,
        log: Log,
        stored: Stored,
        peers: Peers,
        machine: StateMachine,
        clock: Clock,
        random_below: Callable[[int], int],
        settings: Settings | None = None,
    ) -> None:
        """Begin with what the log holds; nothing moves before `run`.

        Errors:  LogCorrupt when that contradicts itself.
        """
        self._settings = settings = settings or Settings()
        self._raft_id = stored.raft_id
        self._log, self._peers, self._machine, self._clock = log, peers, machine, clock
        self._mirror = Mirror(stored)
        self._raft = Raft(_config(stored.raft_id, random_below, settings), self._mirror)
        self._proposals = Proposals()
        self._leadership = LeadershipNews()
        self._barriers = Barriers(
            self._ask_read_index,
            mark=random_below(_MARK_RANGE).to_bytes(8, "big"),
            again_s=settings.read_again_s,
            limit_s=settings.barrier_s,
        )
        self._applier = Applier(
            machine,
            self._proposals,
            self._barriers,
            self._raft.apply_conf_change,
            self._deliver,
            self._on_roster,
            self._on_applied,
        )
        self._dumps = Dumps(log, self._mirror, settings, stored.snapshot, self._take_dump)
        self._inbound = Inbound(
            self._raft_id, self._raft, log, peers, lambda: self._applier, self._deliver, clock
        )
        self._writer = Writer(
            log,
            self._mirror,
            stored.hard_state,
            self._inbound.staged,
            self._deliver,
            self._restore,
            self._go,
        )
        self._driver = Driver(
            self._raft_id,
            self._raft,
            self._writer,
            self._applier,
            self._send,
            self._on_news,
            self._on_failure,
        )
        self.membership = Membership(
            seat=seat,
            raft_id=self._raft_id,
            raft=self._raft,
            proposals=self._proposals,
            leadership=self._leadership,
            inbound=self._inbound,
            roster=lambda: self._applier.roster,
            wake=self._driver.wake,
            clock=clock,
            settings=settings,
        )
        self._decides_alone = False
        self._group: asyncio.TaskGroup | None = None
        self._failure: asyncio.Future[None] | None = None
        self._is_running = asyncio.Event()
        self.removed = asyncio.Event()
        """Set once this member was taken out of the cluster: it will never be let in again."""

    # The life of a member.

    async def run(self) -> None:
        """Take part until cancelled.

        Errors:  LogFailed, LogDamaged, AssertionError and whatever else makes going on unsafe:
                 the process must end, and must not try again without a fresh start.
        """
        self._failure = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self._begin()
                group.create_task(self._peers.run(self), name="raft.peers")
                group.create_task(self._writer.run(), name="raft.writer")
                group.create_task(self._dumps.run(), name="raft.dumps")
                group.create_task(self._tick(), name="raft.ticks")
                group.create_task(self.membership.run(), name="raft.membership")
                self._is_running.set()
                await self._failure
        except BaseExceptionGroup as errors:
            raise single(errors) from errors
        finally:
            self._group = None
            self._driver.stop()
            self._proposals.give_up()

    async def running(self) -> None:
        """Return once the stored state is restored and this member takes part."""
        await self._is_running.wait()

    # What the store needs.

    async def propose(self, data: bytes) -> int:
        """Return the command's log index once it is committed, and applied here.

        Errors:  NotLeader and other NotDone: certainly not made, may be tried again.
                 ProposalTooLarge: certainly not made. OutcomeUnknown: it may have been made, or
                 may be yet; so it is too where the caller is cancelled.
        """
        if not self._leadership.lead.is_own:
            raise NotLeader
        try:
            place = self._raft.propose(data)
        except ProposalDropped as error:
            raise NotDone(error.message) from error
        assert place is not None, "proposals are not forwarded"
        waiting = self._proposals.wait(place)
        self._driver.go()
        return await waiting

    async def read_barrier(self) -> None:
        """Return when the state here holds all that was committed at the call.

        Errors:  NoLeader, within seconds.
        """
        await self._barriers.wait(self._clock.now_s())

    # Who leads.

    @property
    def is_leader(self) -> bool:
        """Whether this manager leads, and its state is complete."""
        return self._leadership.lead.is_own

    @property
    def leader_address(self) -> str | None:
        """Where the leader is reached; None when none is known."""
        return self._inbound.address(self._leadership.lead.leader)

    def leads(self) -> AsyncIterator[Lead]:
        """Yield who leads now, and whenever that changes."""
        return self._leadership.changes()

    async def lost(self, address: str) -> None:
        """Return as soon as the leader is known to be elsewhere, or nowhere."""
        async for _ in self._leadership.changes():
            if self.leader_address != address:
                return

    def status(self) -> ConsensusStatus:
        """Return how this member sees itself and the others."""
        return ConsensusStatus(
            raft_id=self._raft_id,
            raft=self._raft.status(),
            lead=self._leadership.lead,
            members=tuple(self.membership.known()),
            snapshot_index=self._dumps.current.meta.index,
        )

    @property
    def inbound(self) -> Inbound:
        """Where messages of other members come in."""
        return self._inbound

    async def dump(self) -> None:
        """Take a dump now and cut the log."""
        await self._dumps.take()

    def keep(self, *, snapshot_entries: int, trailing_entries: int) -> None:
        """Take a dump after so many entries from now on, and leave so many in the log behind it.

        0 leaves it as it is.
        """
        self._dumps.keep(snapshot_entries, trailing_entries)

    async def reseal(self) -> None:
        """Seal all of the log by the newest data key; older ones are not needed afterwards."""
        await self._log.reseal()

    # What the transport tells.

    def on_unreachable(self, raft_id: int) -> None:
        """Take in that messages to a member were lost."""
        self._raft.report_unreachable(raft_id)
        self._driver.wake()

    def on_removed(self) -> None:
        """Take in what another member says: that this one is none any more."""
        self._inbound.tell_off()
        self._note_removed()

    # What the parts of consensus tell one another.

    def _note_removed(self) -> None:
        if not self.removed.is_set():
            log.warning("raft.removed", raft_id=self._raft_id)
            self.removed.set()

    async def _begin(self) -> None:
        snapshot = self._dumps.current
        if snapshot.pieces:
            await self._restore(snapshot)
        self._mirror.watch(self._is_outdated, self._dumps.request)
        self._driver.wake()

    async def _tick(self) -> None:
        """Let time pass. After a long stop of this process one tick passes, not many."""
        while True:
            await self._clock.sleep(self._settings.tick_s)
            now_s = self._clock.now_s()
            if not self.removed.is_set():  # who is out stands for no election any more
                self._driver.tick()
            self._proposals.tick(now_s)
            self._barriers.tick(now_s)

    async def _restore(self, snapshot: StoredSnapshot) -> None:
        pieces = [piece async for piece in self._dumps.pieces(snapshot)]
        become = await asyncio.to_thread(self._machine.load, pieces)
        become(snapshot.meta.index)
        self._applier.restored(snapshot.meta, decode_roster(snapshot.about))
        await self._dumps.received(snapshot)

    def _take_dump(self) -> tuple[SnapshotMeta, Roster, Iterator[bytes]]:
        return self._applier.point, self._applier.roster, self._machine.dump()

    def _is_outdated(self, snapshot: Snapshot) -> bool:
        conf = snapshot.meta.conf
        known = {*conf.voters, *conf.voters_outgoing, *conf.learners}
        return not known.issuperset(self._applier.roster.seats)

    def _deliver(self, message: Message) -> None:
        self._driver.deliver(message)

    def _go(self) -> None:
        self._driver.go()

    def _send(self, message: Message) -> None:
        if message.kind is MessageKind.SNAPSHOT:
            if self._group is not None:
                self._group.create_task(self._send_snapshot(message), name="raft.send_snapshot")
        else:
            self._peers.send(message)

    async def _send_snapshot(self, message: Message) -> None:
        assert message.snapshot is not None
        is_ok = False
        async with self._dumps.reading() as (stored, pieces):
            if stored.meta == message.snapshot.meta:
                try:
                    await self._peers.send_snapshot(message, pieces)
                    is_ok = True
                except SnapshotNotSent as error:
                    log.info("raft.snapshot_not_sent", peer=message.to, reason=error.message)
        self._raft.report_snapshot(message.to, is_ok)
        self._driver.wake()

    def _on_news(self, ready: Ready) -> None:
        now_s = self._clock.now_s()
        if soft := ready.soft_state:
            term = self._raft.status().hard_state.term
            if self._leadership.turned(term, soft.leader, soft.role):
                self._proposals.lead_lost(now_s + self._settings.unknown_s)
            if soft.role is Role.LEADER:
                self.membership.lead_began()
            log.info("raft.role", role=soft.role.value, term=term, leader=soft.leader)
        if ready.read_states:
            self._barriers.answered(ready.read_states, now_s)

    def _on_applied(self, point: SnapshotMeta, total_bytes: int) -> None:
        self._leadership.applied(point.term)
        self._dumps.applied(point.index, total_bytes)
        if self._decides_alone and not self._leadership.lead.is_own:
            self._campaign_alone()

    def _on_roster(self, roster: Roster) -> None:
        self._inbound.on_roster(roster)
        self._decides_alone = self._raft.status().conf.voters == (self._raft_id,)
        if self._raft_id in roster.removed:
            self._note_removed()

    def _campaign_alone(self) -> None:
        """Lead without waiting for an election to come due: nobody else has a vote."""
        if self._raft.status().soft_state.role is Role.FOLLOWER:
            self._raft.campaign()
            self._driver.wake()

    def _ask_read_index(self, context: bytes) -> None:
        self._raft.read_index(context)
        self._driver.go()

    def _on_failure(self, error: BaseException) -> None:
        log.critical("raft.failed", reason=repr(error))
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)


def _config(raft_id: int, random_below: Callable[[int], int], settings: Settings) -> Config:
    return Config(
        id=raft_id,
        random_below=random_below,
        election_ticks=settings.election_ticks,
        heartbeat_ticks=settings.heartbeat_ticks,
        max_inflight_bytes=settings.max_inflight_bytes,
        max_uncommitted_bytes=settings.max_uncommitted_bytes,
        max_entry_bytes=settings.max_entry_bytes,
        is_async_storage=True,
        forwards_proposals=False,
    )
