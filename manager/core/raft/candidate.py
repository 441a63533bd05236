"""Elections: standing for them, voting in them, counting votes (raft §5.2, thesis §9.6)."""

from __future__ import annotations

from manager.core.raft import follower, leader
from manager.core.raft.errors import ProposalDropped
from manager.core.raft.messages import NONE, EntryKind, Message, MessageKind
from manager.core.raft.quorum import Verdict
from manager.core.raft.replication import broadcast_append
from manager.core.raft.state import State
from manager.core.raft.status import Role

TRANSFER = b"transfer"

_REPLIES = {
    MessageKind.VOTE: MessageKind.VOTE_REPLY,
    MessageKind.PRE_VOTE: MessageKind.PRE_VOTE_REPLY,
}


def stand(state: State, *, is_transfer: bool = False) -> None:
    """Stand for election, unless this member leads or may not lead."""
    if state.role is Role.LEADER or not state.may_lead() or _has_unapplied_change(state):
        return
    if state.config.has_pre_vote and not is_transfer:
        _become_pre_candidate(state)
        _ask_for_votes(state, MessageKind.PRE_VOTE, state.term + 1, b"")
    else:
        _campaign(state, TRANSFER if is_transfer else b"")


def answer(state: State, message: Message) -> None:
    """Answer a request for a vote or a pre-vote."""
    may_vote = (
        state.vote == message.sender
        or (state.vote == NONE and state.leader == NONE)
        or (message.kind is MessageKind.PRE_VOTE and message.term > state.term)
    )
    # A learner votes too: that it became a voter may be in a part of the log it lacks.
    is_granted = may_vote and state.log.is_up_to_date(message.log_term, message.index)
    state.send_when_stored(
        Message(
            kind=_REPLIES[message.kind],
            to=message.sender,
            sender=state.id,
            # A pre-vote is for a term that this member has not reached, and must say which.
            term=message.term if is_granted else state.term,
            reject=not is_granted,
        )
    )
    if is_granted and message.kind is MessageKind.VOTE:
        state.election_elapsed = 0
        state.vote = message.sender


def step(state: State, message: Message) -> None:
    """Take in a message of this term as a candidate. Errors: ProposalDropped."""
    match message.kind:
        case MessageKind.APPEND | MessageKind.HEARTBEAT | MessageKind.SNAPSHOT:
            follower.become_follower(state, message.term, message.sender)
            follower.follow(state, message)
        case MessageKind.VOTE_REPLY if state.role is Role.CANDIDATE:
            _count(state, message)
        case MessageKind.PRE_VOTE_REPLY if state.role is Role.PRE_CANDIDATE:
            _count(state, message)
        case MessageKind.PROPOSE:
            raise ProposalDropped("no leader is known")
        case _:
            return


def _campaign(state: State, context: bytes) -> None:
    state.reset(state.term + 1)
    state.vote = state.id
    state.role = Role.CANDIDATE
    _ask_for_votes(state, MessageKind.VOTE, state.term, context)


def _become_pre_candidate(state: State) -> None:
    """Ask around before the term is raised: nothing but the role changes."""
    state.membership.votes.clear()
    state.leader = NONE
    state.role = Role.PRE_CANDIDATE


def _ask_for_votes(state: State, kind: MessageKind, term: int, context: bytes) -> None:
    last = state.log.last_id()
    for id_ in sorted(state.membership.members.all_voters()):
        if id_ == state.id:
            # Its own vote counts once it is stored.
            state.send_when_stored(Message(kind=_REPLIES[kind], to=id_, sender=state.id, term=term))
            continue
        state.send(
            Message(
                kind=kind,
                to=id_,
                sender=state.id,
                term=term,
                log_term=last.term,
                index=last.index,
                context=context,
            )
        )


def _count(state: State, message: Message) -> None:
    membership = state.membership
    membership.record_vote(message.sender, not message.reject)
    match membership.verdict(membership.votes):
        case Verdict.WON if state.role is Role.PRE_CANDIDATE:
            _campaign(state, b"")
        case Verdict.WON:
            leader.become_leader(state)
            broadcast_append(state)
        case Verdict.LOST:
            follower.become_follower(state, state.term, NONE)
        case Verdict.PENDING:
            return


def _has_unapplied_change(state: State) -> bool:
    """Tell whether the membership may be about to change: then this one must not be counted by."""
    log = state.log
    return any(
        entry.kind is EntryKind.CHANGE
        for entry in log.scan(log.applied + 1, log.committed + 1, state.config.max_apply_bytes)
    )
