"""Who takes part: members are added as learners, become voters once caught up, move, and leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from api.cluster_errors import QuorumLoss
from api.errors import Conflict, NotFound, Unavailable
from manager.consensus.inbound import Inbound
from manager.consensus.leadership import LeadershipNews
from manager.consensus.proposals import Proposals
from manager.consensus.roster import Roster, Seat, encode_seats
from manager.consensus.settings import Settings
from manager.core.raft.errors import ProposalDropped
from manager.core.raft.messages import ChangeKind, ConfChange, ConfChangeSingle
from manager.core.raft.raft import Raft
from manager.core.raft.status import PeerStatus, ProgressKind
from manager.ports.clock import Clock
from manager.ports.members import Member
from manager.ports.outcomes import NotDone, NotLeader, OutcomeUnknown

log = structlog.get_logger(__name__)

_LOOK_AROUND_S = 0.2
_CHANGE_LIMIT_S = 5.0


class Membership:
    """Fulfils `Members` but for `seen`, which needs to ask the leader."""

    def __init__(
        self,
        *,
        seat: Seat,
        raft_id: int,
        raft: Raft,
        proposals: Proposals,
        leadership: LeadershipNews,
        inbound: Inbound,
        roster: Callable[[], Roster],
        wake: Callable[[], None],
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._seat = seat
        self._raft_id = raft_id
        self._raft = raft
        self._proposals = proposals
        self._leadership = leadership
        self._inbound = inbound
        self._roster = roster
        self._wake = wake
        self._clock = clock
        self._settings = settings
        self._changing = asyncio.Lock()
        self._began_s = 0.0

    def lead_began(self) -> None:
        """Take in that this member leads from now on, and has yet to hear of the others."""
        self._began_s = self._clock.now_s()

    @property
    def is_voter(self) -> bool:
        """Whether this member has a vote, as far as it knows."""
        return self._raft_id in self._raft.status().conf.voters

    @property
    def removed(self) -> frozenset[int]:
        """The members that were removed."""
        return self._roster().removed

    def known(self) -> Sequence[Member]:
        """Return the members as this manager's log has them; the leader tells more of each."""
        status = self._raft.status()
        return [
            Member(
                raft_id=raft_id,
                node_id=seat.node_id,
                address=self._inbound.address(raft_id) or seat.address,
                is_leader=raft_id == status.soft_state.leader,
                is_reachable=self._reachable(raft_id) if status.peers else None,
                is_learner=raft_id in status.conf.learners,
                match_index=status.peers[raft_id].match if raft_id in status.peers else 0,
            )
            for raft_id, seat in sorted(self._roster().seats.items())
        ]

    def resolve(self, raft_id: int) -> str:
        """Return where a member is reached. Errors: NotFound."""
        address = self._inbound.address(raft_id)
        if address is None:
            raise NotFound(f"no raft member has the id {raft_id}")
        return address

    async def add(self, raft_id: int, seat: Seat) -> None:
        """Add a node's member as a learner, in place of one it had before.

        Done already if it is a member. Errors: NotLeader, NotDone, OutcomeUnknown, Conflict.
        """
        roster = self._roster()
        if raft_id in roster.removed:
            raise Conflict(f"raft member {raft_id} was removed: join with a new one")
        former = roster.of_node(seat.node_id)
        if former == raft_id and roster.seats[raft_id] == seat:
            return
        if former is not None and former != raft_id:
            await self.remove(former)
        kind = ChangeKind.UPDATE if former == raft_id else ChangeKind.ADD_LEARNER
        await self._change(kind, raft_id, seat)

    async def remove(self, raft_id: int) -> None:
        """Take a member out. Done already if it is none.

        A leader that is to go hands leadership over and answers NotLeader: of two members, the one
        that is left could not learn that it decides alone.
        Errors:  QuorumLoss when those who stay are no quorum of themselves, as far as is known;
                 NotLeader, NotDone, OutcomeUnknown, Conflict while another change is under way.
        """
        if not self._leadership.lead.is_own:
            raise NotLeader
        if raft_id not in self._roster().seats:
            return
        while not self._can_spare(raft_id):
            if not self._is_new:
                raise QuorumLoss
            await self._clock.sleep(_LOOK_AROUND_S)
        if raft_id == self._raft_id:
            await self.transfer_leadership()
            raise NotLeader
        await self._change(ChangeKind.REMOVE, raft_id, None)

    async def transfer_leadership(self) -> None:
        """Have another member lead. Errors: Unavailable when none did."""
        status = self._raft.status()
        if not status.peers:
            return
        voters = [
            (peer.match, raft_id)
            for raft_id, peer in status.peers.items()
            if raft_id != self._raft_id and not peer.is_learner and self._is_reachable(raft_id)
        ]
        if not voters:
            raise Unavailable("no other manager can lead")
        self._raft.transfer_leader(max(voters)[1])
        self._wake()
        try:
            async with asyncio.timeout(self._silence_s):
                async for lead in self._leadership.changes():
                    if lead.leader not in {0, self._raft_id}:
                        return
        except TimeoutError as error:
            raise Unavailable("no other manager took over leadership") from error

    async def run(self) -> None:
        """While leading, make voters of learners, and note where members have moved to."""
        while True:
            await self._clock.sleep(_LOOK_AROUND_S)
            if not self._leadership.lead.is_own or self._changing.locked():
                continue
            try:
                await self._look_around()
            except (Conflict, Unavailable) as error:
                log.debug("raft.change_later", reason=str(error))

    async def _look_around(self) -> None:
        status = self._raft.status()
        for raft_id, peer in status.peers.items():
            if peer.is_learner and self._is_caught_up(raft_id, peer, status.last_index):
                await self._change(ChangeKind.ADD_VOTER, raft_id, None)
                return
        for raft_id, seat in self._roster().seats.items():
            address = self._inbound.moved().get(raft_id)
            if raft_id == self._raft_id:
                address = self._seat.address
            if address is not None and address != seat.address:
                await self._change(ChangeKind.UPDATE, raft_id, Seat(seat.node_id, address))
                return

    def _is_caught_up(self, raft_id: int, peer: PeerStatus, last_index: int) -> bool:
        return (
            peer.kind is ProgressKind.REPLICATE
            and peer.match + self._settings.promote_lag >= last_index
            and self._is_reachable(raft_id)
        )

    async def _change(self, kind: ChangeKind, raft_id: int, seat: Seat | None) -> None:
        """Commit one change, after those that were asked for before."""
        change = ConfChange(
            changes=(ConfChangeSingle(kind=kind, id=raft_id),),
            context=encode_seats({raft_id: seat}) if seat else b"",
        )
        async with self._changing:
            if not self._leadership.lead.is_own:
                raise NotLeader
            try:
                async with asyncio.timeout(_CHANGE_LIMIT_S):
                    await self._propose(change)
            except TimeoutError as error:
                raise OutcomeUnknown from error
        log.info("raft.member_changed", change=kind.name, raft_id=raft_id)

    async def _propose(self, change: ConfChange) -> None:
        try:
            place = self._raft.propose_conf_change(change)
        except ProposalDropped as error:
            raise NotDone(error.message) from error
        assert place is not None, "proposals are not forwarded"
        self._wake()
        await self._proposals.wait(place)

    def _can_spare(self, raft_id: int) -> bool:
        """Tell whether those who stay can go on: enough of the voters are heard of."""
        voters = self._raft.status().conf.voters
        if raft_id not in voters:
            return True
        staying = [each for each in voters if each != raft_id]
        alive = sum(self._is_reachable(each) for each in staying)
        return bool(staying) and alive >= len(staying) // 2 + 1

    def _reachable(self, raft_id: int) -> bool | None:
        """Tell whether a member is there; None while this leader has not had time to hear of it."""
        return self._is_reachable(raft_id) or (None if self._is_new else False)

    def _is_reachable(self, raft_id: int) -> bool:
        return raft_id == self._raft_id or self._inbound.heard_within(raft_id, self._silence_s)

    @property
    def _is_new(self) -> bool:
        return self._clock.now_s() - self._began_s < self._silence_s

    @property
    def _silence_s(self) -> float:
        """How long a member may say nothing and count as there: a leader is answered often."""
        return 2 * self._settings.election_ticks * self._settings.tick_s
