"""What managers say to one another, and what they keep: the vocabulary of consensus.

Identifiers of members are 64-bit numbers; 0 means none. Two of them name the storage workers of
the member itself (see `MessageKind.STORAGE_APPEND`). Everything here is immutable, so that one
object may sit in the log, in a message and on its way to disk at the same time.
"""

from __future__ import annotations

import enum

import msgspec

NONE = 0
LOCAL_APPEND = 2**64 - 1
LOCAL_APPLY = 2**64 - 2

ENTRY_OVERHEAD_BYTES = 24


class EntryKind(enum.IntEnum):
    """What an entry's data is: a command of the store, or a change of membership."""

    NORMAL = 0
    CHANGE = 1


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One place of the log.

    key: chosen by whoever proposed it, unique or empty; it comes back with the committed entry.
    A command without data is the empty entry that a new leader opens its term with.
    """

    term: int = 0
    index: int = 0
    kind: EntryKind = EntryKind.NORMAL
    data: bytes = b""
    key: bytes = b""


class EntryId(msgspec.Struct, frozen=True, gc=False):
    """A place and the term it was filled in; two entries with equal ids are equal."""

    term: int
    index: int


class HardState(msgspec.Struct, frozen=True, gc=False):
    """What must be on disk before anything that follows from it is said."""

    term: int = 0
    vote: int = NONE
    commit: int = 0


class ConfState(msgspec.Struct, frozen=True):
    """The membership as data: ids in ascending order.

    `voters_outgoing` is empty unless two majorities are needed (a joint configuration);
    `learners_next` become learners when it is left, by itself if `auto_leave`.
    """

    voters: tuple[int, ...] = ()
    voters_outgoing: tuple[int, ...] = ()
    learners: tuple[int, ...] = ()
    learners_next: tuple[int, ...] = ()
    auto_leave: bool = False


class SnapshotMeta(msgspec.Struct, frozen=True):
    """The last entry that a snapshot contains, and the membership as of it."""

    index: int = 0
    term: int = 0
    conf: ConfState = ConfState()


class Snapshot(msgspec.Struct, frozen=True):
    """The applied state as of `meta.index`; index 0 means none."""

    meta: SnapshotMeta = SnapshotMeta()
    data: bytes = b""


NO_HARD_STATE = HardState()
NO_SNAPSHOT = Snapshot()


class ChangeKind(enum.IntEnum):
    """One step of a change; UPDATE leaves the membership alone and only carries `context`."""

    ADD_VOTER = 0
    REMOVE = 1
    UPDATE = 2
    ADD_LEARNER = 3


class Transition(enum.IntEnum):
    """How to get there.

    AUTO      a single step at once, several as IMPLICIT
    IMPLICIT  through a joint configuration, left by itself
    EXPLICIT  through a joint configuration, left by an empty change
    """

    AUTO = 0
    IMPLICIT = 1
    EXPLICIT = 2


class ConfChangeSingle(msgspec.Struct, frozen=True):
    """One member to add, remove, or turn into voter or learner; id 0 is ignored."""

    kind: ChangeKind
    id: int


class ConfChange(msgspec.Struct, frozen=True):
    """A change of membership; without changes it leaves the joint configuration.

    context: opaque to consensus, for whoever applies the change (addresses, names).
    """

    changes: tuple[ConfChangeSingle, ...] = ()
    transition: Transition = Transition.AUTO
    context: bytes = b""

    def is_leave(self) -> bool:
        """Tell whether this leaves the joint configuration."""
        return not self.changes and self.transition is Transition.AUTO

    def is_joint(self) -> bool:
        """Tell whether this goes through a joint configuration."""
        return self.transition is not Transition.AUTO or len(self.changes) > 1

    def leaves_by_itself(self) -> bool:
        """Tell whether the joint configuration ends without another proposal."""
        return self.transition is not Transition.EXPLICIT


class MessageKind(enum.IntEnum):
    """What a message asks or answers. The numbers are on the wire: never reuse one.

    STORAGE_* pass between a member and its own storage workers and never cross the network.
    """

    PROPOSE = 1
    APPEND = 2
    APPEND_REPLY = 3
    VOTE = 4
    VOTE_REPLY = 5
    PRE_VOTE = 6
    PRE_VOTE_REPLY = 7
    SNAPSHOT = 8
    HEARTBEAT = 9
    HEARTBEAT_REPLY = 10
    TRANSFER_LEADER = 11
    TIMEOUT_NOW = 12
    READ_INDEX = 13
    READ_INDEX_REPLY = 14
    STORAGE_APPEND = 20
    STORAGE_APPEND_REPLY = 21
    STORAGE_APPLY = 22
    STORAGE_APPLY_REPLY = 23


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message; fields that a kind does not use stay at their defaults.

    APPEND          entries after (log_term, index); commit of the sender
    APPEND_REPLY    index up to which the log agrees; if reject, the index that did not fit and
                    where to look next: (log_term, reject_hint)
    VOTE, PRE_VOTE  (log_term, index) of the candidate's last entry; context marks a transfer
    HEARTBEAT       commit, never past what the receiver is known to have; context of a read
    READ_INDEX(_REPLY)  context names the read; index is the answer
    STORAGE_APPEND  entries, snapshot and, where term is set, (term, vote, commit) to write;
                    `responses` are delivered once that is on disk
    STORAGE_APPLY   entries to apply; `responses` are delivered once that is done
    """

    kind: MessageKind
    to: int = NONE
    sender: int = NONE
    term: int = 0
    log_term: int = 0
    index: int = 0
    entries: tuple[Entry, ...] = ()
    commit: int = 0
    vote: int = NONE
    snapshot: Snapshot | None = None
    reject: bool = False
    reject_hint: int = 0
    context: bytes = b""
    responses: tuple[Message, ...] = ()


_CHANGE_DECODER = msgspec.msgpack.Decoder(ConfChange)


def encode_change(change: ConfChange) -> bytes:
    """Return a change as an entry's data; leaving a joint configuration is empty data."""
    return b"" if change == ConfChange() else msgspec.msgpack.encode(change)


def decode_change(data: bytes) -> ConfChange:
    """Return the change in an entry's data. Errors: msgspec.DecodeError when it is none."""
    return _CHANGE_DECODER.decode(data) if data else ConfChange()


def entry_size(entry: Entry) -> int:
    """Return the bytes that an entry counts as where sizes are bounded."""
    return ENTRY_OVERHEAD_BYTES + len(entry.data) + len(entry.key)


def entries_size(entries: tuple[Entry, ...] | list[Entry]) -> int:
    """Return the bytes that entries count as together."""
    return sum(ENTRY_OVERHEAD_BYTES + len(entry.data) + len(entry.key) for entry in entries)
