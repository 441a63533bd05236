"""Lines that the monitor wrote in pieces, put together again.

The monitor cuts what is written without a newline (a prompt, a buffer of a program) and lines that
are long. Readers that take each frame for a line of its own, as `docker service logs` does, must
not see the cuts.
"""

from __future__ import annotations

LONGEST_LINE_BYTES = 1 << 18

_KIND = slice(36, 45)
_STREAM = slice(36, 42)
_PIECE_AT = 43
_TEXT_AT = 45
_PIECES = (b"stdout P ", b"stderr P ")


class PieceJoiner:
    """Makes one record of the pieces of each line, in the place and of the moment of the last.

    A line of more than 256 KiB becomes several. Records are those of `logline`.
    """

    def __init__(self) -> None:
        self._carry = b""
        self._held: dict[bytes, list[bytes]] = {}

    def feed(self, block: bytes) -> bytes:
        """Return the records that are whole after a block, which may be cut anywhere."""
        data = self._carry + block
        end = data.rfind(b"\n") + 1
        self._carry = data[end:]
        data = data[:end]
        if not self._held and b" P " not in data:
            return data
        joined = [each for record in data.splitlines(keepends=True) for each in self._take(record)]
        return b"".join(joined)

    def rest(self) -> bytes:
        """Return the lines that were never ended, now that nothing more will come."""
        held, self._held = self._held, {}
        return b"".join(_joined([*pieces, b""]) for pieces in held.values())

    def _take(self, record: bytes) -> list[bytes]:
        stream = record[_STREAM]
        pieces = self._held.pop(stream, [])
        if record[_KIND] not in _PIECES:
            return [_joined([*pieces, record])] if pieces else [record]
        pieces.append(record)
        if sum(map(len, pieces)) > LONGEST_LINE_BYTES:
            return [_joined([*pieces, b""])]
        self._held[stream] = pieces
        return []


def _joined(records: list[bytes]) -> bytes:
    """Return one record of pieces and what ends them, which may be b"" for nothing."""
    last = records[-1] or records[-2]
    text = b"".join(each[_TEXT_AT:-1] for each in records)
    return last[:_PIECE_AT] + b"F " + text + b"\n"
