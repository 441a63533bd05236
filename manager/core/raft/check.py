"""What is refused at the door: messages that no correct member sends, storage that contradicts."""

from __future__ import annotations

from manager.core.raft.config import NO_LIMIT, Config
from manager.core.raft.errors import ChangeRefused, LogCorrupt, MessageRefused
from manager.core.raft.members import from_conf_state
from manager.core.raft.messages import (
    LOCAL_APPEND,
    LOCAL_APPLY,
    NONE,
    HardState,
    Message,
    MessageKind,
    SnapshotMeta,
)
from manager.core.raft.state import State
from manager.core.raft.storage import Storage

_LOCAL_REPLIES = {
    MessageKind.STORAGE_APPEND_REPLY: LOCAL_APPEND,
    MessageKind.STORAGE_APPLY_REPLY: LOCAL_APPLY,
}
_LOCAL = frozenset({MessageKind.STORAGE_APPEND, MessageKind.STORAGE_APPLY})
_REPLIES = frozenset(
    {
        MessageKind.APPEND_REPLY,
        MessageKind.VOTE_REPLY,
        MessageKind.PRE_VOTE_REPLY,
        MessageKind.HEARTBEAT_REPLY,
        MessageKind.READ_INDEX_REPLY,
    }
)
_WITHOUT_TERM = frozenset({MessageKind.PROPOSE, MessageKind.READ_INDEX})
_PAGE_BYTES = 4 << 20


def check_message(state: State, message: Message) -> None:
    """Refuse what no correct member sends. Errors: MessageRefused."""
    kind = message.kind
    if message.to != state.id:
        raise MessageRefused(f"a message to {message.to} reached {state.id}")
    if kind in _LOCAL_REPLIES:
        if message.sender != _LOCAL_REPLIES[kind]:
            raise MessageRefused("a storage message came from elsewhere")
        return
    if not NONE < message.sender < LOCAL_APPLY or kind in _LOCAL:
        raise MessageRefused("a local message came from elsewhere")
    if kind in _REPLIES and message.sender not in state.membership.peers:
        raise MessageRefused(f"a reply came from {message.sender}, which is not a member")
    if (message.term == 0) != (kind in _WITHOUT_TERM):
        raise MessageRefused(f"a message of kind {kind.name} has term {message.term}")
    match kind:
        case MessageKind.APPEND:
            _check_append(message)
        case MessageKind.SNAPSHOT:
            _check_snapshot(message)
        case MessageKind.PROPOSE if not message.entries:
            raise MessageRefused("a proposal is empty")
        case _:
            return


def check_start(config: Config, storage: Storage) -> HardState:
    """Return the hard state to start with. Errors: LogCorrupt.

    Nothing is dropped to make the parts fit: an entry that is missing may have been promised.
    """
    hard_state, conf = storage.initial_state()
    meta = storage.snapshot().meta
    first, last = storage.first_index(), storage.last_index()
    if first - 1 > meta.index:
        raise LogCorrupt(f"its first entry is {first}, the snapshot's last is {meta.index}")
    if last < meta.index:
        raise LogCorrupt(f"its last entry is {last}, the snapshot's is {meta.index}")
    if storage.term(meta.index) != meta.term:
        raise LogCorrupt(f"entry {meta.index} is of another term than in the snapshot")
    if hard_state.commit > last:
        raise LogCorrupt(f"its last entry is {last}, and {hard_state.commit} was committed")
    # A snapshot proves that its entries were committed, even if the commit index was not stored.
    commit = max(hard_state.commit, meta.index)
    if config.applied > commit:
        raise LogCorrupt(f"{config.applied} was applied, and only {commit} committed")
    _check_terms(storage, meta, hard_state.term)
    try:
        from_conf_state(conf)
    except ChangeRefused as error:
        raise LogCorrupt(f"its membership makes no sense: {error.reason}") from error
    return HardState(term=hard_state.term, vote=hard_state.vote, commit=commit)


def _check_terms(storage: Storage, meta: SnapshotMeta, term: int) -> None:
    """Refuse gaps, terms that fall, and entries of terms that the hard state has not reached."""
    index, last = storage.first_index(), storage.last_index()
    before = storage.term(index - 1)
    while index <= last:
        for entry in storage.entries(index, last + 1, _PAGE_BYTES):
            if entry.index != index or entry.term < before:
                raise LogCorrupt(f"entry {entry.index} of term {entry.term} is out of place")
            index, before = index + 1, entry.term
    # A log that has only begun, from a snapshot of term 1, needs no hard state yet.
    if before > term and (last > meta.index or before > 1 or term):
        raise LogCorrupt(f"it reached term {before}, and the stored term is {term}")


def _check_append(message: Message) -> None:
    index, term = message.index, message.log_term
    for entry in message.entries:
        index += 1
        if entry.index != index or not term <= entry.term <= message.term:
            raise MessageRefused(f"entry {entry.index} of an append is out of place")
        term = entry.term


def _check_snapshot(message: Message) -> None:
    if message.snapshot is None or not 0 < message.snapshot.meta.index < NO_LIMIT:
        raise MessageRefused("a snapshot is missing")
    if message.snapshot.meta.term > message.term:
        raise MessageRefused("a snapshot is of a term to come")
    try:
        from_conf_state(message.snapshot.meta.conf)
    except ChangeRefused as error:
        raise MessageRefused(f"a snapshot's membership: {error.reason}") from error
