"""How a member's log begins, or begins anew where the quorum is lost for good."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from api.errors import Conflict
from manager.consensus.roster import Roster, Seat, decode_roster, encode_roster, encode_seats
from manager.core.raft.bootstrap import first_entries
from manager.core.raft.members import Members, change, from_conf_state
from manager.core.raft.messages import (
    ChangeKind,
    ConfChange,
    ConfChangeSingle,
    ConfState,
    Entry,
    EntryKind,
    HardState,
    SnapshotMeta,
    decode_change,
    encode_change,
)
from manager.ports.log import Batch, Log, Stored, StoredSnapshot

log = structlog.get_logger(__name__)

_FIRST_TERM = 1


async def begin_cluster(log_: Log, stored: Stored, seat: Seat) -> None:
    """Make an empty log the one of a new cluster's first member."""
    _refuse_used(stored)
    state, entries = first_entries({stored.raft_id: encode_seats({stored.raft_id: seat})})
    await log_.write(Batch(entries, state))


async def begin_with_dump(
    log_: Log, stored: Stored, seat: Seat, pieces: Iterable[bytes], index: int
) -> None:
    """Make an empty log the one of a new cluster that begins with a dump.

    index:  what the dump is as of; the log goes on after it, so that versions only rise.
    """
    _refuse_used(stored)
    handle, count = await log_.stage(), 0
    for piece in pieces:
        await log_.write_piece(handle, count, piece)
        count += 1
    snapshot = StoredSnapshot(
        meta=SnapshotMeta(index=index, term=_FIRST_TERM, conf=ConfState(voters=(stored.raft_id,))),
        about=encode_roster(Roster(seats={stored.raft_id: seat})),
        pieces=count,
        handle=handle,
    )
    state = HardState(term=_FIRST_TERM, vote=stored.raft_id, commit=index)
    await log_.write(Batch(hard_state=state, snapshot=snapshot))


async def force_new_cluster(log_: Log, stored: Stored, seat: Seat) -> None:
    """Make this member the only one, keeping everything that its log has.

    To be done before consensus is made, which then needs the log read again. Entries that were not
    known to be committed are kept too: some may have been acknowledged. Whoever else was a member
    counts as removed from then on.
    """
    if stored.is_empty:
        raise Conflict("this manager was never part of a cluster: there is nothing to go on from")
    term, index = stored.hard_state.term + 1, stored.start.index + len(stored.entries)
    entries: list[Entry] = []
    for wanted in _takeover(stored, seat):
        index += 1
        entries.append(
            Entry(term=term, index=index, kind=EntryKind.CHANGE, data=encode_change(wanted))
        )
    state = HardState(term=term, vote=stored.raft_id, commit=index)
    await log_.write(Batch(entries, state))
    log.warning("raft.new_cluster_forced", raft_id=stored.raft_id, term=term, index=index)


def _takeover(stored: Stored, seat: Seat) -> list[ConfChange]:
    """Return the changes that lead from the log's membership to this member alone."""
    me = stored.raft_id
    members, roster = _membership(stored)
    changes: list[ConfChange] = []
    if members.is_joint():
        changes.append(ConfChange())
        members = change(members, changes[-1])
    changes.append(_change(ChangeKind.ADD_VOTER, me, encode_seats({me: seat})))
    others = (members.everyone() | set(roster.seats)) - {me}
    changes.extend(_change(ChangeKind.REMOVE, other) for other in sorted(others))
    return changes


def _membership(stored: Stored) -> tuple[Members, Roster]:
    """Return the membership once every change in the log is applied."""
    members = from_conf_state(stored.snapshot.meta.conf)
    roster = decode_roster(stored.snapshot.about)
    for entry in stored.entries:
        if entry.kind is EntryKind.CHANGE and entry.index > stored.snapshot.meta.index:
            wanted = decode_change(entry.data)
            members, roster = change(members, wanted), roster.after(wanted)
    return members, roster


def _change(kind: ChangeKind, raft_id: int, context: bytes = b"") -> ConfChange:
    return ConfChange(changes=(ConfChangeSingle(kind=kind, id=raft_id),), context=context)


def _refuse_used(stored: Stored) -> None:
    if not stored.is_empty:
        raise Conflict("this manager's log is not empty: it cannot begin a cluster")
