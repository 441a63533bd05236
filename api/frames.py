"""The multiplexed stream that attach, exec and logs send when there is no terminal.

Shape of a frame:   1 byte stream number, 3 zero bytes, payload length (uint32, big-endian),
                    payload.
Source:             Engine API, "Attach to a container", stream format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum

from api.errors import InvalidArgument

HEADER = struct.Struct(">BxxxI")
FRAME_LIMIT_BYTES = 1 << 32


class Stream(IntEnum):
    """The stream numbers; SYSTEM carries an error of the daemon in the midst of a stream."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    SYSTEM = 3


def frame_header(stream: int, length: int) -> bytes:
    """Return the 8 bytes that go before a payload of so many bytes."""
    assert length < FRAME_LIMIT_BYTES
    return HEADER.pack(stream, length)


def pack_frame(stream: int, payload: bytes) -> bytes:
    """Return one whole frame."""
    return frame_header(stream, len(payload)) + payload


class FrameDecoder:
    """Cuts frames out of a byte stream that arrives in pieces of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished frame are held; 0 between frames."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[tuple[Stream, bytes]]:
        """Yield the frames that are whole now, in order.

        Errors:  InvalidArgument when a header has an unknown stream number or non-zero padding.
        """
        self._buffer += data
        position = 0
        try:
            while len(self._buffer) - position >= HEADER.size:
                stream, length = self._header_at(position)
                end = position + HEADER.size + length
                if len(self._buffer) < end:
                    break
                yield stream, bytes(self._buffer[position + HEADER.size : end])
                position = end
        finally:
            del self._buffer[:position]

    def _header_at(self, position: int) -> tuple[Stream, int]:
        number, length = HEADER.unpack_from(self._buffer, position)
        if number > Stream.SYSTEM or any(self._buffer[position + 1 : position + 4]):
            raise InvalidArgument(f"unrecognized stream: {number}")
        return Stream(number), length
