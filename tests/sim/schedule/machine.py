"""The state machine of the simulation: it remembers everything that was applied, in one digest."""

from __future__ import annotations

import hashlib

import msgspec

from manager.core.raft.messages import ConfState, Entry


def chain(digest: bytes, entry: Entry) -> bytes:
    """Return the digest of a history that is one entry longer."""
    words = (digest, entry.term, entry.index, int(entry.kind), entry.data, entry.key)
    return hashlib.blake2b(msgspec.msgpack.encode(words), digest_size=16).digest()


class MachineState(msgspec.Struct, frozen=True):
    """What a snapshot holds: the history's digest, and the keys of the proposals in it."""

    index: int = 0
    digest: bytes = b""
    keys: frozenset[bytes] = frozenset()


class Machine:
    """Applies entries one by one."""

    def __init__(self) -> None:
        self.state = MachineState()
        self.conf = ConfState()

    def apply(self, entry: Entry) -> None:
        """Take the next entry of the log."""
        state = self.state
        assert entry.index == state.index + 1, f"applied {state.index}, then {entry.index}"
        assert not entry.key or entry.key not in state.keys, f"{entry.key!r} was applied twice"
        keys = state.keys | {entry.key} if entry.key else state.keys
        self.state = MachineState(entry.index, chain(state.digest, entry), keys)

    def dump(self) -> bytes:
        """Return the state as a snapshot's data."""
        return msgspec.msgpack.encode(self.state)

    def restore(self, data: bytes, conf: ConfState) -> None:
        """Take over a snapshot."""
        self.state = msgspec.msgpack.decode(data, type=MachineState) if data else MachineState()
        self.conf = conf
