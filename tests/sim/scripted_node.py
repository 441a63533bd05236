"""A member whose work is done when a script says so."""

from __future__ import annotations

from manager.core.raft.config import Config
from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import (
    ConfState,
    Entry,
    EntryKind,
    HardState,
    Message,
    Snapshot,
    SnapshotMeta,
    decode_change,
)
from manager.core.raft.raft import Raft


class AppliedLog(MemoryLog):
    """A stored log that can always give a snapshot of what was applied last."""

    __slots__ = ("history",)

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(snapshot=snapshot)
        self.history = [snapshot]

    def snapshot(self) -> Snapshot:
        """Return the applied state, whether it was kept as a snapshot or not."""
        return self.history[-1]


class ScriptedNode:
    """A member, its storage, and the work that its two storage workers have not done yet.

    The state machine appends: its state is all the commands' data, one after another.
    """

    def __init__(self, config: Config, snapshot: Snapshot) -> None:
        self.config = config
        self.log = AppliedLog(snapshot)
        self.raft = Raft(config, self.log)
        self.append_work: list[Message] = []
        self.apply_work: list[Message] = []

    def store(
        self,
        hard_state: HardState | None,
        entries: tuple[Entry, ...],
        snapshot: Snapshot | None,
    ) -> None:
        """Write what a ready or an append message holds."""
        if hard_state:
            self.log.set_hard_state(hard_state)
        if snapshot:
            assert not entries, "entries come with a snapshot"
            self.log.apply_snapshot(snapshot)
        self.log.append(entries)

    def apply(self, entries: tuple[Entry, ...]) -> None:
        """Apply committed entries."""
        for entry in entries:
            last = self.log.history[-1]
            conf: ConfState = last.meta.conf
            data = entry.data
            if entry.kind is EntryKind.CHANGE:
                change = decode_change(entry.data)
                conf = self.raft.apply_conf_change(change)
                data = change.context
            meta = SnapshotMeta(index=entry.index, term=entry.term, conf=conf)
            self.log.history.append(Snapshot(meta=meta, data=last.data + data))
