"""A manager as a process of its own, as the daemon would start it."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_READY_LIMIT_S = 20.0
_CALL_LIMIT_S = 40.0


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Answer:
    """A response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """Return the body decoded."""
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """What an error says."""
        text: str = self.json()["message"]
        return text


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("manager", timeout=_CALL_LIMIT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_CALL_LIMIT_S)
        self.sock.connect(str(self._path))


@dataclass
class ManagerProcess:
    """One manager: its directory, where it listens, and its process while it runs."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> Path:
        """Where its state is."""
        return self.folder / "swarm"

    @property
    def socket(self) -> Path:
        """Where its HTTP is."""
        return self.folder / "manager.sock"

    @property
    def address(self) -> str:
        """Where the others reach it."""
        return f"127.0.0.1:{self.port}"

    def start(self, *flags: str, orders: dict[str, Any] | None = None) -> dict[str, Any]:
        """Start it; return the line that it says."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command(flags),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(orders or {}).encode())
            self.process.stdin.close()
        said: dict[str, Any] = json.loads(self._line())
        return said

    def init(self, **request: Any) -> dict[str, Any]:
        """Begin a cluster; return the ready line."""
        said = self.start(
            "--init",
            orders={
                "Request": request,
                "Description": {"Hostname": self.folder.name},
            },
        )
        assert said.get("ready"), said
        return said

    def request(self, method: str, target: str, content: Any = None) -> Answer:
        """Send one request, with JSON where there is content."""
        connection = _UnixConnection(self.socket)
        try:
            headers = {} if content is None else {"Content-Type": "application/json"}
            body = None if content is None else json.dumps(content)
            connection.request(method, target, body, headers)
            found = connection.getresponse()
            return Answer(found.status, found.headers, found.read())
        finally:
            connection.close()

    def get(self, target: str) -> Any:
        """Return the JSON behind a path, which must be there."""
        answer = self.request("GET", target)
        assert answer.status == 200, answer.body
        return answer.json()

    def stop(self) -> int:
        """End it as the daemon would; return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self._reap()

    def kill(self) -> None:
        """End it without a word."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self._reap()

    def suspend(self) -> None:
        """Let it be alive but silent."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def log(self) -> str:
        """Return what it logged, over all of its lives."""
        return (self.folder / "log").read_text()

    def _command(self, flags: Sequence[str]) -> list[str]:
        return [
            *(sys.executable, "-m", "manager"),
            *("--state-dir", str(self.state), "--socket", str(self.socket)),
            *("--listen", self.address, "--advertise", self.address),
            *flags,
        ]

    def _line(self) -> bytes:
        assert self.process is not None
        assert self.process.stdout is not None
        found, _, _ = select.select([self.process.stdout], [], [], _READY_LIMIT_S)
        assert found, f"the manager says nothing: {self.log()}"
        line = self.process.stdout.readline()
        assert line, f"the manager ended: {self.log()}"
        return line

    def _reap(self) -> int:
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGCONT)
        code = self.process.wait(20)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        return code


def wait_until(is_so: Callable[[], object], limit_s: float = 20.0) -> None:
    """Return when it is so. Errors: AssertionError after the limit."""
    deadline_s = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < deadline_s, "it never came to be"
        time.sleep(0.02)
