"""The frames of a websocket, the server's side, without any I/O.

Source:  RFC 6455, sections 4.2.2 (accepting), 5.2 (frames), 5.4 (fragments), 5.5 (control frames).
"""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum

MESSAGE_LIMIT_BYTES = 1 << 20
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTROL_LIMIT = 125


class Opcode(IntEnum):
    """What a frame is."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class ProtocolError(ValueError):
    """The client speaks no websocket; `code` is the reason to close with."""

    def __init__(self, why: str, code: int = 1002) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a client, unmasked. Fragments come one by one: bytes need no joining."""

    opcode: Opcode
    payload: bytes


def accept_key(key: str) -> str:
    """Return what Sec-WebSocket-Accept has to say to a Sec-WebSocket-Key."""
    digest = hashlib.sha1(key.strip().encode() + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def pack(opcode: Opcode, payload: bytes) -> bytes:
    """Return one whole frame of the server: final and not masked."""
    size = len(payload)
    first = 0x80 | opcode
    if size < 126:
        head = bytes((first, size))
    elif size < 1 << 16:
        head = struct.pack(">BBH", first, 126, size)
    else:
        head = struct.pack(">BBQ", first, 127, size)
    return head + payload


def pack_close(code: int) -> bytes:
    """Return the frame that ends a connection."""
    return pack(Opcode.CLOSE, struct.pack(">H", code))


class FrameReader:
    """Takes bytes as they come and gives whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._fragmented = False

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are whole by now. Errors: ProtocolError."""
        self._buffer += data
        found = []
        while (frame := self._next()) is not None:
            found.append(frame)
        return found

    def _next(self) -> Frame | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        is_final, opcode = bool(buffer[0] & 0x80), self._opcode(buffer[0])
        if not buffer[1] & 0x80:
            raise ProtocolError("a client's frame is not masked")
        size, at = self._size(opcode, is_final=is_final)
        if len(buffer) < at + 4 + size:
            return None
        mask = bytes(buffer[at : at + 4])
        payload = unmask(bytes(buffer[at + 4 : at + 4 + size]), mask)
        del buffer[: at + 4 + size]
        if opcode < Opcode.CLOSE:
            if (opcode is Opcode.CONTINUATION) != self._fragmented:
                raise ProtocolError("a fragment out of order")
            self._fragmented = not is_final
        return Frame(opcode, payload)

    def _opcode(self, first: int) -> Opcode:
        if first & 0x70:
            raise ProtocolError("an extension that was not agreed on")
        try:
            return Opcode(first & 0x0F)
        except ValueError:
            raise ProtocolError("an unknown kind of frame") from None

    def _size(self, opcode: Opcode, *, is_final: bool) -> tuple[int, int]:
        """Return the payload's size and place; a place beyond what is here while it is unknown."""
        buffer = self._buffer
        size, at = buffer[1] & 0x7F, 2
        if opcode >= Opcode.CLOSE and (size > _CONTROL_LIMIT or not is_final):
            raise ProtocolError("a control frame in parts, or too long")
        if size >= 126:
            width = 2 if size == 126 else 8
            at += width
            if len(buffer) < at:
                return 0, at + 1
            size = int.from_bytes(buffer[2:at], "big")
        if size > MESSAGE_LIMIT_BYTES:
            raise ProtocolError("a frame larger than is taken", 1009)
        return size, at


def unmask(payload: bytes, mask: bytes) -> bytes:
    """Return a payload with the mask laid over it, which both hides and reveals."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
