"""A small HTTP client on a unix socket: raw enough that it is never the bottleneck."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any


class Connection(http.client.HTTPConnection):
    """A kept-alive connection to a daemon's unix socket."""

    def __init__(self, path: str, timeout_s: float = 600) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a JSON request; return the decoded answer, raise RuntimeError on an error status."""
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"} if data is not None else {}
        self.request(method, f"/v1.41{path}", body=data, headers=headers)
        answer = self.getresponse()
        content = answer.read()
        if answer.status >= 400:
            message = f"{method} {path}: {answer.status} {content!r}"
            raise RuntimeError(message)
        return json.loads(content) if content else None

    def read_all(self, path: str) -> int:
        """GET a stream to its end; return how many bytes came."""
        self.request("GET", f"/v1.41{path}")
        answer = self.getresponse()
        total = 0
        while chunk := answer.read(1 << 20):
            total += len(chunk)
        return total


class Getter:
    """The same GET over and over on one connection, with next to no work on this side.

    A whole HTTP client takes longer per request than a daemon does, and would hide it.
    """

    def __init__(self, path: str, target: str) -> None:
        self._request = f"GET /v1.41{target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(600)
        self._socket.connect(path)

    def get(self) -> None:
        """Ask, and read the whole answer; RuntimeError when it is not a 200."""
        self._socket.sendall(self._request)
        answer = self._socket.recv(1 << 20)
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._socket.recv(1 << 20)
        if not answer.startswith(b"HTTP/1.1 200 "):
            message = f"{self._request!r}: {answer[:200]!r}"
            raise RuntimeError(message)
        head = answer[:end].lower()
        _, sized, rest = head.partition(b"\r\ncontent-length: ")
        if sized:
            missing = end + 4 + int(rest.split(b"\r\n", 1)[0]) - len(answer)
            while missing > 0:
                missing -= len(self._socket.recv(1 << 20))
            return
        while not answer.endswith(b"0\r\n\r\n"):
            answer = answer[-8:] + self._socket.recv(1 << 20)


def hijack(path: str, target: str, body: Any = None) -> socket.socket:
    """POST with an upgrade; return the socket right behind the response's head."""
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stream.settimeout(600)
    stream.connect(path)
    data = json.dumps(body).encode() if body is not None else b""
    stream.sendall(
        f"POST /v1.41{target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode()
        + data
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += stream.recv(1)
    if b" 101 " not in head.split(b"\r\n")[0]:
        message = f"{target}: {head!r}"
        raise RuntimeError(message)
    return stream
