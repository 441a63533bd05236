"""How a leader takes proposals into its log."""

from __future__ import annotations

import msgspec

from manager.core.raft import members
from manager.core.raft.errors import ChangeRefused, ProposalDropped, ProposalTooLarge
from manager.core.raft.messages import (
    NONE,
    ConfChange,
    Entry,
    EntryKind,
    Message,
    MessageKind,
    decode_change,
    entries_size,
)
from manager.core.raft.replication import broadcast_append
from manager.core.raft.state import State, payload_size
from manager.core.raft.status import Role


def propose(state: State, proposed: tuple[Entry, ...]) -> None:
    """Append proposals and send them on. Errors: ProposalDropped, ProposalTooLarge.

    A change of membership that does not fit becomes an empty entry: a proposer elsewhere could
    not be told otherwise.
    """
    if state.id not in state.membership.peers:
        raise ProposalDropped("this manager is no longer a member")
    if state.transferee != NONE:
        raise ProposalDropped("leadership is being handed over")
    check_size(state, proposed)
    if not append(state, _admitted(state, proposed)):
        raise ProposalDropped("too much is proposed and not committed yet")
    broadcast_append(state)


def check_size(state: State, proposed: tuple[Entry, ...]) -> None:
    """Refuse an entry over the limit. Errors: ProposalTooLarge."""
    limit = state.config.max_entry_bytes
    for entry in proposed:
        if len(entry.data) > limit:
            raise ProposalTooLarge(len(entry.data), limit)


def check_change(state: State, change: ConfChange) -> None:
    """Refuse a change of membership that does not fit now. Errors: ChangeRefused."""
    if state.pending_change > state.log.applied:
        raise ChangeRefused(
            "another change of membership is under way "
            f"(index {state.pending_change}, applied {state.log.applied})"
        )
    now = state.membership.members
    if now.is_joint() and not change.is_leave():
        raise ChangeRefused("the joint configuration must be left first")
    members.change(now, change)


def append(state: State, proposed: list[Entry]) -> bool:
    """Append entries in this term; False if too much is uncommitted already."""
    size = payload_size(proposed)
    total = state.uncommitted_bytes + size
    # The first one is taken whatever its size, so that nothing is refused for ever.
    if state.uncommitted_bytes and size and total > state.config.max_uncommitted_bytes:
        return False
    state.uncommitted_bytes = total
    first = state.log.last_index() + 1
    entries = [
        Entry(term=state.term, index=index, kind=entry.kind, data=entry.data, key=entry.key)
        for index, entry in enumerate(proposed, first)
    ]
    for entry in entries:
        if entry.kind is EntryKind.CHANGE:
            state.pending_change = entry.index
    last = state.log.append(entries)
    # The leader counts itself once its own copy is stored.
    state.send_when_stored(
        Message(
            kind=MessageKind.APPEND_REPLY,
            to=state.id,
            sender=state.id,
            term=state.term,
            index=last,
        )
    )
    return True


def on_applied(state: State, entries: tuple[Entry, ...]) -> None:
    """Take in that entries were applied."""
    if entries:
        applied_to(state, entries[-1].index, entries_size(entries))
        state.uncommitted_bytes = max(0, state.uncommitted_bytes - payload_size(entries))


def applied_to(state: State, index: int, size_bytes: int) -> None:
    """Move the applied index; leave a joint configuration that ends by itself."""
    state.log.applied_to(max(index, state.log.applied), size_bytes)
    if (
        state.role is Role.LEADER
        and state.membership.members.auto_leave
        and state.log.applied >= state.pending_change
    ):
        try:
            propose(state, (Entry(kind=EntryKind.CHANGE),))
        except ProposalDropped:
            # Leadership is being handed over; whoever has it next tries again.
            return


def _admitted(state: State, proposed: tuple[Entry, ...]) -> list[Entry]:
    """Return what goes into the log: a change that may not is replaced by an empty entry."""
    admitted: list[Entry] = []
    has_change = False
    for entry in proposed:
        if entry.kind is EntryKind.CHANGE and state.config.validates_changes:
            is_fit = not has_change and _is_fit(state, entry)
            has_change = has_change or is_fit
            admitted.append(entry if is_fit else Entry(key=entry.key))
        else:
            admitted.append(entry)
    return admitted


def _is_fit(state: State, entry: Entry) -> bool:
    try:
        check_change(state, decode_change(entry.data))
    except (ChangeRefused, msgspec.DecodeError):
        return False
    return True
