"""What is due after a step: to store, to send, to apply."""

from __future__ import annotations

import msgspec

from manager.core.raft.messages import Entry, HardState, Message, Snapshot
from manager.core.raft.status import SoftState


class ReadState(msgspec.Struct, frozen=True):
    """A read that may be answered from the state as of `index` or later."""

    index: int
    context: bytes


class Ready(msgspec.Struct, frozen=True):
    """Work for the driver, in this order.

    With storage done by the driver itself:
      1. write `hard_state`, `snapshot` and `entries`, in one transaction; it must be on disk if
         `must_sync` is set or there is a snapshot
      2. send `messages`
      3. restore from `snapshot`, then apply `committed`: `Raft.apply_conf_change` for changes
      4. `Raft.advance()`
    Nothing may be sent before the write is safe: messages may promise what was written.

    With asynchronous storage, `messages` hold it all: those to LOCAL_APPEND and LOCAL_APPLY are
    done in order by two workers, which step their `responses` back (or send those to others);
    the rest leaves at once. There is no `advance`, and `ready` may be called meanwhile.

    soft_state, hard_state and snapshot are None when nothing changed.
    """

    soft_state: SoftState | None = None
    hard_state: HardState | None = None
    read_states: tuple[ReadState, ...] = ()
    entries: tuple[Entry, ...] = ()
    snapshot: Snapshot | None = None
    committed: tuple[Entry, ...] = ()
    messages: tuple[Message, ...] = ()
    must_sync: bool = False
