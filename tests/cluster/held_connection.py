"""A connection that is held all along, from one network namespace to another."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.root.node import wait_until
from tests.root.overlay_bed import in_namespace

_PAUSE_S = 0.02


class Held:
    """`echoes` counts what came back; `failure` is why there will be no more."""

    def __init__(self, connection: socket.socket) -> None:
        self.echoes = 0
        self.failure = ""
        self._connection = connection
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._is_over = False
        self._thread.start()

    def go_on(self) -> None:
        """Return when more came back."""
        before = self.echoes
        wait_until(lambda: self.echoes > before + 1, f"an echo ({self.failure})", 60)

    def end(self) -> None:
        """Say no more."""
        self._is_over = True
        self._connection.close()

    def _talk(self) -> None:
        try:
            while not self._is_over:
                self._connection.sendall(b"x")
                if not self._connection.recv(1):
                    self.failure = "hung up"
                    return
                self.echoes += 1
                time.sleep(_PAUSE_S)
        except OSError as error:
            self.failure = repr(error)


@contextmanager
def held(source: Path, target: Path, address: str, port: int = 7777) -> Iterator[Held]:
    """Hold a connection from a namespace to an address in another."""
    with in_namespace(target, lambda: socket.create_server((address, port))) as listener:
        client = in_namespace(source, lambda: socket.create_connection((address, port), 5))
        # A peer that is cut off for a while is no failure.
        client.settimeout(None)
        server, _ = listener.accept()
        threading.Thread(target=_echo, args=(server,), daemon=True).start()
        connection = Held(client)
        try:
            yield connection
        finally:
            connection.end()
            server.close()


def _echo(connection: socket.socket) -> None:
    with suppress(OSError):
        while heard := connection.recv(1):
            connection.sendall(heard)
