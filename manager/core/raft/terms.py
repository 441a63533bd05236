"""What a message's term means for this member, before its content does."""

from __future__ import annotations

from manager.core.raft import follower
from manager.core.raft.candidate import TRANSFER
from manager.core.raft.messages import NONE, EntryId, Message, MessageKind, Snapshot
from manager.core.raft.proposing import applied_to
from manager.core.raft.state import State

_FROM_LEADER = frozenset({MessageKind.APPEND, MessageKind.HEARTBEAT, MessageKind.SNAPSHOT})


def admit(state: State, message: Message) -> bool:
    """Bring this member to the message's term if that is newer; False if it goes no further.

    Local messages, and those passed on to a leader, carry no term.
    """
    if message.term in {0, state.term}:
        return True
    if message.term < state.term:
        _answer_stale(state, message)
        return False
    if message.kind in {MessageKind.VOTE, MessageKind.PRE_VOTE} and _is_in_lease(state, message):
        return False
    match message.kind:
        case MessageKind.PRE_VOTE:
            # The term rises once a majority is willing, not before.
            return True
        case MessageKind.PRE_VOTE_REPLY if not message.reject:
            return True
        case _:
            leader = message.sender if message.kind in _FROM_LEADER else NONE
            follower.become_follower(state, message.term, leader)
            return True


def _is_in_lease(state: State, message: Message) -> bool:
    """Tell whether a leader was heard of so recently that nobody else should be voted for."""
    return (
        message.context != TRANSFER
        and state.config.has_check_quorum
        and state.leader != NONE
        and state.election_elapsed < state.config.election_ticks
    )


def _answer_stale(state: State, message: Message) -> None:
    match message.kind:
        case MessageKind.APPEND | MessageKind.HEARTBEAT:
            if state.config.has_check_quorum or state.config.has_pre_vote:
                # It may not hear of the newer term otherwise: those who ask for votes are ignored
                # within a lease, and pre-votes raise no term.
                state.send_when_stored(
                    Message(
                        kind=MessageKind.APPEND_REPLY,
                        to=message.sender,
                        sender=state.id,
                        term=state.term,
                    )
                )
        case MessageKind.PRE_VOTE:
            state.send_when_stored(
                Message(
                    kind=MessageKind.PRE_VOTE_REPLY,
                    to=message.sender,
                    sender=state.id,
                    term=state.term,
                    reject=True,
                )
            )
        case MessageKind.STORAGE_APPEND_REPLY:
            # Entries of an older term may have been replaced meanwhile, but a snapshot is of
            # committed entries whatever the term.
            if message.snapshot:
                _on_snapshot_stored(state, message.snapshot)
        case _:
            return


def on_stored(state: State, message: Message) -> None:
    """Take in that a write was done, in the term that it was asked for."""
    if message.index:
        state.log.unstable.stable_to(EntryId(term=message.log_term, index=message.index))
    if message.snapshot:
        _on_snapshot_stored(state, message.snapshot)


def _on_snapshot_stored(state: State, snapshot: Snapshot) -> None:
    state.log.unstable.snapshot_stable_to(snapshot.meta.index)
    applied_to(state, snapshot.meta.index, 0)
