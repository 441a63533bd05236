"""One member of the consensus, as its driver sees it."""

from __future__ import annotations

from manager.core.raft import candidate, follower, leader, members, proposing, reads, terms
from manager.core.raft.check import check_message, check_start
from manager.core.raft.config import Config
from manager.core.raft.follower import become_follower
from manager.core.raft.log import RaftLog
from manager.core.raft.members import from_conf_state
from manager.core.raft.messages import (
    NONE,
    ConfChange,
    ConfState,
    Entry,
    EntryId,
    EntryKind,
    Message,
    MessageKind,
    encode_change,
)
from manager.core.raft.outlet import Outlet
from manager.core.raft.ready import Ready
from manager.core.raft.state import State
from manager.core.raft.status import Role, Status
from manager.core.raft.storage import Storage
from manager.core.raft.terms import admit


class Raft:
    """Consensus without a clock, a network or a disk: feed it, then do what `ready` says.

    Not safe for threads; calls return at once. A broken invariant is an AssertionError: the
    member must stop, since what it says could no longer be trusted.
    """

    def __init__(self, config: Config, storage: Storage) -> None:
        """Start as a follower with what storage holds.

        Errors: LogCorrupt when hard state, log and snapshot contradict one another.
        """
        hard_state = check_start(config, storage)
        meta = storage.snapshot().meta
        self._config = config
        self._state = State(
            config,
            RaftLog(
                storage,
                committed=hard_state.commit,
                applied=max(config.applied, meta.index),
                max_apply_bytes=config.max_apply_bytes,
            ),
            hard_state,
        )
        self._state.switch_members(from_conf_state(storage.initial_state()[1]))
        become_follower(self._state, self._state.term, NONE)
        self._outlet = Outlet(self._state)

    def tick(self) -> None:
        """Let one unit of time pass: elections, heartbeats and the quorum check count in ticks."""
        state = self._state
        if state.role is Role.LEADER:
            leader.tick(state)
        elif follower.tick(state):
            candidate.stand(state)

    def step(self, message: Message) -> None:
        """Take in a message of a peer, or a response of a storage worker.

        The caller has made sure that `message.sender` is who sent it.
        Errors: MessageRefused (nothing changed); ProposalDropped, ProposalTooLarge (a
        proposal that a peer forwarded).
        """
        check_message(self._state, message)
        if admit(self._state, message):
            self._dispatch(message)

    def campaign(self) -> None:
        """Stand for election now; nothing happens where this member may not."""
        candidate.stand(self._state)

    def propose(self, data: bytes, key: bytes = b"") -> EntryId | None:
        """Propose a command; return where it went, None when it was forwarded to the leader.

        See proposals.py for what becomes of it.
        Errors: ProposalDropped, ProposalTooLarge: certainly in no log.
        """
        return self._propose(Entry(data=data, key=key))

    def propose_conf_change(self, change: ConfChange, key: bytes = b"") -> EntryId | None:
        """Propose a change of membership, one at a time; as `propose`.

        Errors: ChangeRefused as well, when this member leads and the change does not fit. A
        change that was forwarded and does not fit is committed as an empty entry with its key.
        """
        if self._state.role is Role.LEADER and self._config.validates_changes:
            proposing.check_change(self._state, change)
        return self._propose(Entry(kind=EntryKind.CHANGE, data=encode_change(change), key=key))

    def read_index(self, context: bytes) -> None:
        """Ask for the index that a linearizable read must wait for: see `Ready.read_states`.

        There is no answer if leadership is lost meanwhile: ask again after some time.
        Errors: ProposalDropped when no leader is known.
        """
        state = self._state
        request = Message(
            kind=MessageKind.READ_INDEX, to=state.leader, sender=state.id, context=context
        )
        if state.role is Role.LEADER:
            reads.ask(state, request)
        else:
            follower.forward(state, request)

    def transfer_leader(self, to: int) -> None:
        """Hand leadership to a voter; given up after one election time. Dropped without leader."""
        state = self._state
        if state.role is Role.LEADER:
            leader.transfer(state, to)
        elif state.leader != NONE:
            state.send(
                Message(
                    kind=MessageKind.TRANSFER_LEADER,
                    to=state.leader,
                    sender=state.id,
                    term=state.term,
                    vote=to,
                )
            )

    def forget_leader(self) -> None:
        """Make a follower forget whom it follows, so that it may grant pre-votes at once."""
        follower.forget_leader(self._state)

    def report_unreachable(self, peer: int) -> None:
        """Tell that a message to a peer could not be sent."""
        if self._state.role is Role.LEADER:
            leader.on_unreachable(self._state, peer)

    def report_snapshot(self, peer: int, is_ok: bool) -> None:
        """Tell how sending a snapshot ended; without it the peer gets no more entries."""
        if self._state.role is Role.LEADER:
            leader.on_snapshot_sent(self._state, peer, is_ok=is_ok)

    def has_ready(self) -> bool:
        """Tell whether `ready` would return work."""
        return self._outlet.has_ready()

    def ready(self) -> Ready:
        """Return what is due, and count it as being done.

        Without asynchronous storage, call `advance` before the next one.
        """
        return self._outlet.take()

    def advance(self) -> None:
        """Tell that everything of the last `ready` is stored, sent and applied."""
        for message in self._outlet.advance():
            if admit(self._state, message):
                self._dispatch(message)

    def apply_conf_change(self, change: ConfChange) -> ConfState:
        """Switch to the membership that a committed change leads to; return it.

        To be called for each committed entry of kind CHANGE, in order, while applying it.
        Errors: ChangeRefused if it leads nowhere: the same on every member, and nothing changes.
        """
        state = self._state
        state.switch_members(members.change(state.membership.members, change))
        if state.role is Role.LEADER:
            leader.on_members_changed(state)
        return state.membership.members.conf_state()

    def status(self) -> Status:
        """Return this member's view."""
        state = self._state
        is_leader = state.role is Role.LEADER
        return Status(
            id=state.id,
            soft_state=state.soft_state(),
            hard_state=state.hard_state(),
            conf=state.membership.members.conf_state(),
            applied=state.log.applied,
            first_index=state.log.first_index(),
            last_index=state.log.last_index(),
            transferee=state.transferee,
            peers={i: p.status() for i, p in state.membership.peers.items()} if is_leader else {},
        )

    def _propose(self, entry: Entry) -> EntryId | None:
        state = self._state
        if state.role is not Role.LEADER:
            proposing.check_size(state, (entry,))
            self._dispatch(
                Message(kind=MessageKind.PROPOSE, to=state.id, sender=state.id, entries=(entry,))
            )
            return None
        proposing.propose(state, (entry,))
        return state.log.last_id()

    def _dispatch(self, message: Message) -> None:
        """Do what a message says whose term is this member's, or that has none."""
        state = self._state
        match message.kind:
            case MessageKind.VOTE | MessageKind.PRE_VOTE:
                candidate.answer(state, message)
            case MessageKind.STORAGE_APPEND_REPLY:
                terms.on_stored(state, message)
            case MessageKind.STORAGE_APPLY_REPLY:
                proposing.on_applied(state, message.entries)
            case _ if state.role is Role.LEADER:
                leader.step(state, message)
            case MessageKind.TIMEOUT_NOW if state.role is Role.FOLLOWER:
                # Whoever hands over leadership vouches for the round of pre-votes.
                candidate.stand(state, is_transfer=True)
            case _ if state.role is Role.FOLLOWER:
                follower.step(state, message)
            case _:
                candidate.step(state, message)
