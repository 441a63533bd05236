"""One HTTP request to a unix socket, for commands that speak with a daemon or a manager."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from api.errors import SkepError, Unavailable

_TIMEOUT_S = 60.0


class Failed(SkepError):
    """The other side refused; the message is its own."""


@contextmanager
def ask(
    path: Path, method: str, target: str, body: Mapping[str, object] | None = None
) -> Iterator[http.client.HTTPResponse]:
    """Send a request, and yield the answer, to be read before the end of the block.

    Errors:  Unavailable when nobody listens, Failed for a status from 400 on.
    """
    connection = _UnixConnection(path)
    try:
        content = None if body is None else json.dumps(body)
        try:
            connection.request(method, target, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
        except OSError as error:
            raise Unavailable(f"cannot reach {path}: {error.strerror or error}") from error
        if answer.status >= 400:
            raise Failed(_message(answer.read(), answer.status))
        yield answer
    finally:
        connection.close()


def _message(content: bytes, status: int) -> str:
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {status}"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
