"""How a leader brings its log to the others, and finds out what is committed."""

from __future__ import annotations

from manager.core.raft.errors import SnapshotUnavailable
from manager.core.raft.members import everyone
from manager.core.raft.messages import Entry, Message, MessageKind, entries_size
from manager.core.raft.progress import Progress
from manager.core.raft.state import State
from manager.core.raft.status import ProgressKind


def broadcast_append(state: State) -> None:
    """Send everyone the entries it lacks, or at least the commit index."""
    for id_ in state.membership.ids:
        if id_ != state.id:
            send_append(state, id_)


def send_append(state: State, to: int, *, is_empty_allowed: bool = True) -> bool:
    """Send a member one append or the snapshot; tell whether anything was sent.

    is_empty_allowed: send it without entries too, for the commit index or as a probe.
    """
    peer = state.membership.peers[to]
    if peer.is_paused():
        return False
    prev = peer.next - 1
    try:
        prev_term = state.log.term(prev)
        entries = _entries_for(state, peer)
    except LookupError:
        # What it needs was compacted away.
        return _send_snapshot(state, to, peer)
    if not entries and not is_empty_allowed:
        return False
    state.send(
        Message(
            kind=MessageKind.APPEND,
            to=to,
            sender=state.id,
            term=state.term,
            log_term=prev_term,
            index=prev,
            entries=tuple(entries),
            commit=state.log.committed,
        )
    )
    peer.note_append(len(entries), entries_size(entries))
    peer.note_commit(state.log.committed)
    return True


def send_all_appends(state: State, to: int) -> None:
    """Send a member appends until it has everything or its window is full."""
    while send_append(state, to, is_empty_allowed=False):
        pass


def broadcast_heartbeat(state: State, context: bytes) -> None:
    """Tell everyone that this member leads; `context` confirms a read."""
    for id_ in state.membership.ids:
        if id_ != state.id:
            _send_heartbeat(state, id_, context)


def maybe_commit(state: State) -> bool:
    """Commit what a quorum has, if it is of this term (raft §5.4.2); tell whether that is news."""
    index = state.membership.committed()
    if index <= state.log.committed or not state.log.matches(state.term, index):
        return False
    state.log.commit_to(index)
    return True


def _entries_for(state: State, peer: Progress) -> list[Entry]:
    if peer.kind is ProgressKind.REPLICATE and peer.inflights.is_full():
        # An empty append still gets through: should all in the window be lost, its answer frees it.
        return []
    return state.log.entries(peer.next, state.config.max_message_bytes)


def _send_snapshot(state: State, to: int, peer: Progress) -> bool:
    if not peer.is_active:
        return False
    try:
        snapshot = state.log.snapshot()
    except SnapshotUnavailable:
        return False
    assert snapshot.meta.index, "entries were compacted without a snapshot"
    if to not in everyone(snapshot.meta.conf):
        # It would be ignored there: wait for one from after the member was added.
        return False
    peer.become_snapshot(snapshot.meta.index)
    state.send(
        Message(
            kind=MessageKind.SNAPSHOT,
            to=to,
            sender=state.id,
            term=state.term,
            snapshot=snapshot,
        )
    )
    return True


def _send_heartbeat(state: State, to: int, context: bytes) -> None:
    # What it is not known to have may be different there, so it must not hear that as committed.
    peer = state.membership.peers[to]
    commit = min(peer.match, state.log.committed)
    state.send(
        Message(
            kind=MessageKind.HEARTBEAT,
            to=to,
            sender=state.id,
            term=state.term,
            commit=commit,
            context=context,
        )
    )
    peer.note_commit(commit)
