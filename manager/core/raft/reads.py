"""Linearizable reads: the index that a read must wait for (raft §6.4 of the author's thesis)."""

from __future__ import annotations

from manager.core.raft.config import ReadMode
from manager.core.raft.messages import NONE, Message, MessageKind
from manager.core.raft.quorum import Verdict
from manager.core.raft.ready import ReadState
from manager.core.raft.replication import broadcast_heartbeat
from manager.core.raft.state import State


def ask(state: State, request: Message) -> None:
    """Take in a read on the leader; answer it once leadership is certain."""
    if not state.has_committed_in_term():
        # Until then the commit index may be behind what an earlier leader acknowledged.
        state.reads.early.append(request)
    elif _decides_alone(state) or _has_lease(state):
        _answer(state, request, state.log.committed)
    else:
        broadcast_heartbeat(state, state.reads.add(request, state.log.committed, state.id))


def release_early(state: State) -> None:
    """Take in the reads that came before this term's first commit."""
    if state.reads.early and state.has_committed_in_term():
        early, state.reads.early = state.reads.early, []
        for request in early:
            ask(state, request)


def confirm(state: State, sender: int, context: bytes) -> None:
    """Take in that a member still follows; answer the reads that a quorum confirmed."""
    read = state.reads.acknowledge(context, sender)
    if read and state.membership.verdict(read.acks) is Verdict.WON:
        for confirmed in state.reads.release(context):
            _answer(state, confirmed.request, confirmed.index)


def _decides_alone(state: State) -> bool:
    return state.membership.is_singleton() and state.id in state.membership.members.voters


def _has_lease(state: State) -> bool:
    return state.config.read_mode is ReadMode.LEASE and not state.has_handed_over


def _answer(state: State, request: Message, index: int) -> None:
    if request.sender in {NONE, state.id}:
        state.read_states.append(ReadState(index=index, context=request.context))
        return
    state.send(
        Message(
            kind=MessageKind.READ_INDEX_REPLY,
            to=request.sender,
            sender=state.id,
            term=state.term,
            index=index,
            context=request.context,
        )
    )
