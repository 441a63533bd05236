"""Imports of large programs: what they bring lives on, and the collector need not look at it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting_imports() -> Iterator[None]:
    """Let the garbage collector rest meanwhile, and leave alone for ever what is there then."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
