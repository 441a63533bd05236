"""Where the last N lines of a log begin, found from its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.core.logline import PREFIX_BYTES

BLOCK_BYTES = 1 << 18
_FLAG = PREFIX_BYTES - 2


def tail_offset(
    read_at: Callable[[int, int], bytes], size_bytes: int, lines: int, *, goes_on: bool = False
) -> tuple[int, int]:
    """Return (offset of the first of the last `lines` lines, how many were found).

    `read_at(offset, length)` gives bytes of the log. A line may be several records; pieces at
    the end whose line goes on count as one line, an unfinished record at the very end as none.
    `goes_on` tells that a newer file follows, in which such a line was counted already.
    """
    if lines <= 0 and not goes_on:
        return size_bytes, 0
    count = 0
    kept_from = size_bytes
    for offset, is_piece in _records_backwards(read_at, size_bytes):
        ends_a_line = not is_piece or (count == 0 and not goes_on)
        if ends_a_line and count == lines:
            return kept_from, count
        count += ends_a_line
        kept_from = offset
    return 0, count


def _records_backwards(
    read_at: Callable[[int, int], bytes], size_bytes: int
) -> Iterator[tuple[int, bool]]:
    """Yield (offset, whether it is a piece) of each record, last first."""
    end, rest = size_bytes, b""
    while end > 0:
        start = max(0, end - BLOCK_BYTES)
        block = read_at(start, end - start)
        if end == size_bytes:
            block = block[: block.rfind(b"\n") + 1]
        block += rest
        first = block.find(b"\n") + 1 if start else 0
        position = len(block)
        while position > first:
            begin = max(block.rfind(b"\n", 0, position - 1) + 1, first)
            yield start + begin, block[begin + _FLAG : begin + _FLAG + 1] == b"P"
            position = begin
        end, rest = start, block[:first] if first else block if start else b""
