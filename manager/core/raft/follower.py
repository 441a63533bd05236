"""What a follower does: take the leader's entries, snapshots and commit index."""

from __future__ import annotations

from manager.core.raft import snapshot
from manager.core.raft.config import ReadMode
from manager.core.raft.errors import MessageRefused, ProposalDropped
from manager.core.raft.messages import NONE, Message, MessageKind
from manager.core.raft.ready import ReadState
from manager.core.raft.state import State
from manager.core.raft.status import Role


def become_follower(state: State, term: int, leader: int) -> None:
    """Follow `leader`, or whoever shows up, in `term`."""
    state.reset(term)
    state.role = Role.FOLLOWER
    state.leader = leader


def tick(state: State) -> bool:
    """Let time pass for who does not lead; True if it is time for an election."""
    state.election_elapsed += 1
    if state.election_elapsed < state.election_timeout or not state.may_lead():
        return False
    state.election_elapsed = 0
    return True


def step(state: State, message: Message) -> None:
    """Take in a message of this term. Errors: ProposalDropped, MessageRefused."""
    match message.kind:
        case MessageKind.APPEND | MessageKind.HEARTBEAT | MessageKind.SNAPSHOT:
            if state.leader not in {NONE, message.sender}:
                raise MessageRefused(
                    f"{message.sender} claims to lead term {state.term}, which {state.leader} leads"
                )
            state.election_elapsed = 0
            state.leader = message.sender
            follow(state, message)
        case MessageKind.PROPOSE:
            _forward_proposal(state, message)
        case MessageKind.READ_INDEX_REPLY:
            state.read_states.append(ReadState(index=message.index, context=message.context))
        case _:
            return


def follow(state: State, message: Message) -> None:
    """Do what the leader of this term says."""
    match message.kind:
        case MessageKind.APPEND:
            _take_entries(state, message)
        case MessageKind.HEARTBEAT:
            state.log.commit_to(message.commit)
            state.send(
                Message(
                    kind=MessageKind.HEARTBEAT_REPLY,
                    to=message.sender,
                    sender=state.id,
                    term=state.term,
                    context=message.context,
                )
            )
        case _:
            assert message.snapshot is not None
            restored = snapshot.restore(state, message.snapshot)
            index = state.log.last_index() if restored else state.log.committed
            _acknowledge(state, message.sender, index)


def forget_leader(state: State) -> None:
    """Forget whom it follows, in the same term."""
    if state.role is Role.FOLLOWER and state.config.read_mode is not ReadMode.LEASE:
        # By lease, a follower that forgets would vote within the lease it granted.
        state.leader = NONE


def forward(state: State, message: Message) -> None:
    """Pass something on to the leader. Errors: ProposalDropped when there is none."""
    if state.leader == NONE:
        raise ProposalDropped("no leader is known")
    state.send(message)


def _forward_proposal(state: State, message: Message) -> None:
    if not state.config.forwards_proposals:
        raise ProposalDropped("this manager does not lead, and forwards no proposals")
    forwarded = Message(
        kind=MessageKind.PROPOSE,
        to=state.leader,
        sender=state.id,
        entries=message.entries,
    )
    forward(state, forwarded)


def _take_entries(state: State, message: Message) -> None:
    log = state.log
    if message.index < log.committed:
        # It agrees up to there in any case.
        _acknowledge(state, message.sender, log.committed)
        return
    matched = log.maybe_append(message.log_term, message.index, message.entries, message.commit)
    if matched is not None:
        _acknowledge(state, message.sender, matched)
        return
    # Entries of terms above the leader's there cannot agree, so skip back over them at once.
    hint = log.find_conflict_by_term(min(message.index, log.last_index()), message.log_term)
    state.send_when_stored(
        Message(
            kind=MessageKind.APPEND_REPLY,
            to=message.sender,
            sender=state.id,
            term=state.term,
            index=message.index,
            reject=True,
            reject_hint=hint.index,
            log_term=hint.term,
        )
    )


def _acknowledge(state: State, leader: int, index: int) -> None:
    state.send_when_stored(
        Message(
            kind=MessageKind.APPEND_REPLY,
            to=leader,
            sender=state.id,
            term=state.term,
            index=index,
        )
    )
