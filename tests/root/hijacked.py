"""A raw client of hijacked connections: attach and exec as they are on the wire."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from api.frames import FrameDecoder, Stream


class Hijacked:
    """One upgraded connection; `status` is the answer's first line."""

    def __init__(self, path: Path, target: str, body: object = None, *, early: bytes = b"") -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"POST {target} HTTP/1.1\r\nHost: skep\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + content + early)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.socket.recv(65536)
        answer, _, self._rest = received.partition(b"\r\n\r\n")
        self.status = answer.split(b"\r\n", 1)[0].decode()

    def send(self, data: bytes) -> None:
        """Type."""
        self.socket.sendall(data)

    def end_input(self) -> None:
        """Half-close."""
        self.socket.shutdown(socket.SHUT_WR)

    def read_until(self, words: bytes) -> bytes:
        """Return raw output up to and with `words`."""
        received = self._take_rest()
        while words not in received:
            data = self.socket.recv(65536)
            assert data, f"the stream ended before {words!r}: {received!r}"
            received += data
        return received

    def read_all(self) -> bytes:
        """Return raw output to its end."""
        parts = [self._take_rest()]
        while data := self.socket.recv(1 << 20):
            parts.append(data)
        return b"".join(parts)

    def read_frames(self) -> dict[Stream, bytes]:
        """Return what each stream carried, to the end."""
        found: dict[Stream, bytes] = {}
        for stream, payload in FrameDecoder().feed(self.read_all()):
            found[stream] = found.get(stream, b"") + payload
        return found

    def close(self) -> None:
        """Vanish."""
        self.socket.close()

    def _take_rest(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest
