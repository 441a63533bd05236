"""The garbage collector looks at the store's objects once, when they are young, and never again.

They hold no cycles, and a full pass over a million of them would stop all for a second.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

# So many objects more than were freed before the collector looks at the young ones. Nearly all
# that a manager makes holds no cycles, and Python's own 700 cost a tenth of its time under load.
_YOUNG_OBJECTS: Final = 20_000
SPARED_CHANGES: Final = 2_000
"""After so many changes what survived a look is left alone. What is no object of the store, and
lives at that moment, is left alone as well: so it is not done more often than it is worth."""


@contextmanager
def spared(changes: Callable[[], int]) -> Iterator[None]:
    """Spare the collector while the block runs; `changes` tells how many there were so far."""
    done = 0

    def follow(phase: str, about: Mapping[str, Any]) -> None:
        nonlocal done
        if phase == "stop" and not about["generation"] and changes() - done >= SPARED_CHANGES:
            done = changes()
            gc.freeze()

    thresholds = gc.get_threshold()
    gc.set_threshold(_YOUNG_OBJECTS)
    gc.callbacks.append(follow)
    try:
        yield
    finally:
        gc.callbacks.remove(follow)
        gc.set_threshold(*thresholds)
