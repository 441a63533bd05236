"""A terminal that a test types into: the docker CLI with -t wants a real one."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence

from tests.root.node import PATIENCE


class Terminal:
    """A command on a pseudo terminal; `seen` is all that it printed."""

    def __init__(self, command: Sequence[str], rows: int = 24, columns: int = 80) -> None:
        self._master, slave = pty.openpty()
        self.resize(rows, columns)
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self.seen = ""

    def resize(self, rows: int, columns: int) -> None:
        """Change the window; the command gets SIGWINCH as from a terminal emulator."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        process = getattr(self, "process", None)
        if process is not None:
            process.send_signal(28)

    def type(self, text: str) -> None:
        """Type, as a person would."""
        os.write(self._master, text.encode())

    def wait_for(self, text: str, timeout_s: float = 20.0) -> None:
        """Return when the text has been printed since the last call; fail when it is not."""
        deadline = time.monotonic() + timeout_s * PATIENCE
        while text not in self.seen:
            ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                message = f"no {text!r} in {self.seen!r}"
                raise AssertionError(message)
            try:
                self.seen += os.read(self._master, 65536).decode(errors="replace")
            except OSError as gone:
                message = f"ended without {text!r}: {self.seen!r}"
                raise AssertionError(message) from gone
        self.seen = self.seen.split(text, 1)[1]

    def finish(self, timeout_s: float = 20.0) -> int:
        """Return the exit code once the command ended."""
        try:
            return self.process.wait(timeout_s)
        finally:
            self.close()

    def close(self) -> None:
        """End the command if it runs, and close the terminal."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
