"""What a raft log should hold after so many steps: the same steps on every run.

A step's number is written along as the vote of its hard state, so that a log tells how far it came.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from manager.core.raft.messages import Entry, EntryId, HardState, SnapshotMeta

_PIECES = 3


@dataclass(frozen=True)
class Model:
    """The content of a log; a snapshot is its meta, and pieces that follow from it."""

    step: int = 0
    start: EntryId = field(default_factory=lambda: EntryId(term=0, index=0))
    entries: tuple[Entry, ...] = ()
    snapshot: SnapshotMeta = field(default_factory=SnapshotMeta)

    @property
    def last(self) -> int:
        """The index of the last entry."""
        return self.start.index + len(self.entries)

    @property
    def hard_state(self) -> HardState:
        """What tells the step; terms only rise, and everything is committed that can be."""
        return HardState(term=self.step, vote=self.step, commit=self.start.index)

    def term(self, index: int) -> int:
        """Return the term of an entry or of the start."""
        offset = index - self.start.index
        return self.entries[offset - 1].term if offset else self.start.term

    def compacted(self, index: int) -> Model:
        """Return it without the entries up to one."""
        start = EntryId(index=index, term=self.term(index))
        return replace(self, start=start, entries=self.entries[index - self.start.index :])


def next_kind(model: Model) -> str:
    """Return what the step after this model does."""
    chance = random.Random(model.step).random()
    if chance < 0.7 or model.last < 20:
        return "append"
    if chance < 0.8:
        return "receive"
    return "snapshot" if chance < 0.95 else "reseal"


def after(model: Model) -> Model:
    """Return the content after one more step."""
    chance = random.Random(model.step)
    step = model.step + 1
    match next_kind(model):
        case "append":
            kept = len(model.entries) - chance.randint(0, min(3, len(model.entries)))
            new = tuple(
                Entry(term=step, index=model.start.index + kept + n, data=chance.randbytes(200))
                for n in range(1, chance.randint(2, 6))
            )
            return replace(model, step=step, entries=model.entries[:kept] + new)
        case "receive":
            meta = SnapshotMeta(index=model.last + 5, term=step)
            start = EntryId(index=meta.index, term=step)
            return Model(step=step, start=start, entries=(), snapshot=meta)
        case "reseal":
            return replace(model, step=step)
        case _:
            index = max(model.last - 8, model.snapshot.index, model.start.index)
            meta = SnapshotMeta(index=index, term=model.term(index))
            kept = max(index - 4, model.start.index)
            return replace(model.compacted(kept), step=step, snapshot=meta)


def pieces(meta: SnapshotMeta) -> list[bytes]:
    """Return the pieces of the snapshot with this meta."""
    return [random.Random(f"{meta.index} {n}").randbytes(9000) for n in range(_PIECES)]


def at(step: int) -> Model:
    """Return the content after a number of steps."""
    model = Model()
    for model in walk():
        if model.step == step:
            return model
    raise AssertionError(model)


def walk() -> Iterator[Model]:
    """Yield the content after 0, 1, 2, ... steps."""
    model = Model()
    while True:
        yield model
        model = after(model)
