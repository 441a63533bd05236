"""The C library's allocator, told to keep less: gRPC's threads each had a heap of their own."""

from __future__ import annotations

import ctypes

# Of <malloc.h>.
_M_ARENA_MAX = -8
_ARENAS = 2


def share_heaps() -> None:
    """Have all threads take memory from two heaps; a C library that cannot goes on as it is."""
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        tune(_M_ARENA_MAX, _ARENAS)
