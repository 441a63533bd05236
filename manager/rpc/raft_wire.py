"""Consensus messages as protobuf and back."""

from __future__ import annotations

from manager.core.raft.errors import MessageRefused
from manager.core.raft.messages import (
    ConfState,
    Entry,
    EntryKind,
    Message,
    MessageKind,
    Snapshot,
    SnapshotMeta,
)
from protos.skep.v1 import raft_pb2 as pb

ENTRY_OVERHEAD_BYTES = 48
MESSAGE_OVERHEAD_BYTES = 128


def to_wire(message: Message) -> pb.RaftMessage:
    """Return a message to another member; a snapshot's data goes as `about`."""
    wire = pb.RaftMessage(
        kind=message.kind,  # type: ignore[arg-type]  # the numbers are the same by design
        to=message.to,
        sender=message.sender,
        term=message.term,
        log_term=message.log_term,
        index=message.index,
        commit=message.commit,
        vote=message.vote,
        reject=message.reject,
        reject_hint=message.reject_hint,
        context=message.context,
    )
    for entry in message.entries:
        wire.entries.add(
            term=entry.term,
            index=entry.index,
            kind=entry.kind,
            data=entry.data,
            key=entry.key,
        )
    if message.snapshot is not None:
        meta = message.snapshot.meta
        wire.snapshot.index = meta.index
        wire.snapshot.term = meta.term
        wire.snapshot.about = message.snapshot.data
        wire.snapshot.configuration.voters.extend(meta.conf.voters)
        wire.snapshot.configuration.voters_outgoing.extend(meta.conf.voters_outgoing)
        wire.snapshot.configuration.learners.extend(meta.conf.learners)
        wire.snapshot.configuration.learners_next.extend(meta.conf.learners_next)
        wire.snapshot.configuration.auto_leave = meta.conf.auto_leave
    return wire


def from_wire(wire: pb.RaftMessage) -> Message:
    """Return the message. Errors: MessageRefused when its kind is none that crosses the wire."""
    try:
        kind = MessageKind(wire.kind)
        entries = tuple(_entry(each) for each in wire.entries)
    except ValueError as error:
        raise MessageRefused(f"a raft message makes no sense: {error}") from error
    if kind >= MessageKind.STORAGE_APPEND:
        raise MessageRefused(f"a message of kind {kind.name} came from another member")
    return Message(
        kind=kind,
        to=wire.to,
        sender=wire.sender,
        term=wire.term,
        log_term=wire.log_term,
        index=wire.index,
        entries=entries,
        commit=wire.commit,
        vote=wire.vote,
        snapshot=_snapshot(wire.snapshot) if wire.HasField("snapshot") else None,
        reject=wire.reject,
        reject_hint=wire.reject_hint,
        context=wire.context,
    )


def size_of(message: Message) -> int:
    """Return about how many bytes a message takes on the wire."""
    size = MESSAGE_OVERHEAD_BYTES + len(message.context)
    for entry in message.entries:
        size += ENTRY_OVERHEAD_BYTES + len(entry.data) + len(entry.key)
    return size


def _entry(wire: pb.RaftEntry) -> Entry:
    return Entry(
        term=wire.term,
        index=wire.index,
        kind=EntryKind(wire.kind),
        data=wire.data,
        key=wire.key,
    )


def _snapshot(wire: pb.RaftSnapshot) -> Snapshot:
    conf = ConfState(
        voters=tuple(wire.configuration.voters),
        voters_outgoing=tuple(wire.configuration.voters_outgoing),
        learners=tuple(wire.configuration.learners),
        learners_next=tuple(wire.configuration.learners_next),
        auto_leave=wire.configuration.auto_leave,
    )
    meta = SnapshotMeta(index=wire.index, term=wire.term, conf=conf)
    return Snapshot(meta=meta, data=wire.about)
