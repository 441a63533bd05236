"""Consensus messages survive the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from manager.rpc.raft_wire import from_wire, size_of, to_wire
from protos.skep.v1.raft_pb2 import RaftMessage

numbers = st.integers(0, 2**64 - 1)
ids = st.lists(numbers, max_size=4).map(tuple)
entries = st.builds(
    Entry,
    term=numbers,
    index=numbers,
    kind=st.sampled_from(EntryKind),
    data=st.binary(max_size=20),
    key=st.binary(max_size=9),
)
confs = st.builds(
    ConfState,
    voters=ids,
    voters_outgoing=ids,
    learners=ids,
    learners_next=ids,
    auto_leave=st.booleans(),
)
snapshots = st.builds(
    Snapshot,
    meta=st.builds(SnapshotMeta, index=numbers, term=numbers, conf=confs),
    data=st.binary(max_size=9),
)
messages = st.builds(
    Message,
    kind=st.sampled_from([kind for kind in MessageKind if kind < MessageKind.STORAGE_APPEND]),
    to=numbers,
    sender=numbers,
    term=numbers,
    log_term=numbers,
    index=numbers,
    entries=st.lists(entries, max_size=3).map(tuple),
    commit=numbers,
    vote=numbers,
    snapshot=st.none() | snapshots,
    reject=st.booleans(),
    reject_hint=numbers,
    context=st.binary(max_size=9),
)


@given(messages)
def test_message_comes_back_as_it_was(message: Message) -> None:
    wire = RaftMessage.FromString(to_wire(message).SerializeToString())

    assert message == from_wire(wire)


@given(messages)
def test_size_is_no_less_than_it_is_on_the_wire(message: Message) -> None:
    """Snapshots apart: they travel by themselves."""
    if message.snapshot is None:
        assert size_of(message) >= to_wire(message).ByteSize()


@pytest.mark.parametrize("kind", [0, 20, 23, 99])
def test_kinds_that_never_cross_the_wire_are_refused(kind: int) -> None:
    wire = RaftMessage()
    wire.kind = kind  # type: ignore[assignment]  # an open enum: any number travels

    with pytest.raises(MessageRefused):
        from_wire(wire)


def test_unknown_kind_of_entry_is_refused() -> None:
    wire = RaftMessage(kind="RAFT_MESSAGE_KIND_APPEND")
    wire.entries.add().kind = 9  # type: ignore[assignment]  # as above

    with pytest.raises(MessageRefused):
        from_wire(wire)
