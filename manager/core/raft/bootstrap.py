"""The first entries of a new cluster."""

from __future__ import annotations

from collections.abc import Mapping

from manager.core.raft.messages import (
    ChangeKind,
    ConfChange,
    ConfChangeSingle,
    Entry,
    EntryKind,
    HardState,
    encode_change,
)


def first_entries(voters: Mapping[int, bytes]) -> tuple[HardState, tuple[Entry, ...]]:
    """Return what each first voter stores before it starts: one change for each, committed.

    voters: the context of each one's change. Who joins later starts with nothing stored, and
    gets these entries, or a snapshot, from the leader.
    """
    entries = tuple(
        Entry(
            term=1,
            index=index,
            kind=EntryKind.CHANGE,
            data=encode_change(
                ConfChange((ConfChangeSingle(ChangeKind.ADD_VOTER, id_),), context=context)
            ),
        )
        for index, (id_, context) in enumerate(sorted(voters.items()), start=1)
    )
    return HardState(term=1, commit=len(entries)), entries
