"""Who answers for an address, as numbered slots: a new connection takes one of them by chance.

A target has as many slots as its weight. Whatever changes, slots that need not move stay, so that
a change costs as much as it changes: a target that goes hands its slots to the last ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.core.nft_batch import Batch


@dataclass(frozen=True, slots=True)
class SlotChange:
    """Slots that are written and slots that are cleared; both sizes are numbers of slots."""

    size_before: int
    size: int
    written: Mapping[int, str] = field(default_factory=dict)
    cleared: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.written or self.cleared)


def write_slots(batch: Batch, key: str, n: int, change: SlotChange, *, sizes: str) -> None:
    """Write a change of slots of IP version `n`, found under `key` in the maps of a table.

    The map `sizes` leads to the chain for their number, the map slots4 or slots6 to each of them.
    """
    if change.size != change.size_before:
        if change.size_before:
            batch.delete(sizes, key)
        if change.size:
            batch.add(sizes, f"{key} : goto {chain_of(n, change.size)}")
    rewritten = (number for number in change.written if number < change.size_before)
    for number in (*change.cleared, *rewritten):
        batch.delete(f"slots{n}", f"{key} . {number}")
    for number, target in change.written.items():
        batch.add(f"slots{n}", f"{key} . {number} : {target}")


def chain_of(n: int, size: int) -> str:
    """Return the name of the chain that takes one of so many slots, of IP version `n`."""
    return f"of{size}v{n}"


class Slots:
    """The slots of one address: always those from 0 to their number, without a gap."""

    def __init__(self) -> None:
        self._targets: list[str] = []
        self._places: dict[str, set[int]] = {}

    @property
    def targets(self) -> tuple[str, ...]:
        """What is in the slots, by number."""
        return tuple(self._targets)

    def change(self, wanted: Mapping[str, int]) -> SlotChange:
        """Take in what is wanted, targets with their weights; return what changes by it."""
        changed = dict.fromkeys(self._places.keys() - wanted.keys(), 0)
        for target, weight in wanted.items():
            if len(self._places.get(target, ())) != weight:
                changed[target] = weight
        return self.update(changed)

    def update(self, weights: Mapping[str, int]) -> SlotChange:
        """Take in new weights of some targets, 0 for gone; return what changes by it.

        Its cost is that of the change, however many others there are.
        """
        size_before = len(self._targets)
        was: dict[int, str] = {}
        free = self._freed(weights, was)
        for target, weight in weights.items():
            for _ in range(weight - len(self._places.get(target, ()))):
                self._put(free.pop(0) if free else len(self._targets), target)
        for number in reversed(free):
            last = self._targets.pop()
            if number < len(self._targets):
                self._places[last].remove(len(self._targets))
                was.setdefault(len(self._targets), last)
                self._put(number, last)
        size = len(self._targets)
        touched = sorted({*was, *range(size_before, size)})
        return SlotChange(
            size_before=size_before,
            size=size,
            written={
                number: self._targets[number]
                for number in touched
                if number < size and was.get(number) != self._targets[number]
            },
            cleared=tuple(range(size, size_before)),
        )

    def _freed(self, weights: Mapping[str, int], was: dict[int, str]) -> list[int]:
        """Take slots away from targets with more than their weight; note whose they were."""
        free = []
        for target, weight in weights.items():
            places = self._places.get(target, set())
            surplus = len(places) - max(weight, 0)
            for number in sorted(places)[: max(surplus, 0)]:
                places.remove(number)
                was[number] = target
                free.append(number)
            if not places:
                self._places.pop(target, None)
        return sorted(free)

    def _put(self, number: int, target: str) -> None:
        if number == len(self._targets):
            self._targets.append(target)
        else:
            self._targets[number] = target
        self._places.setdefault(target, set()).add(number)
