"""A client's connection to a monitored process: conmon's attach socket.

Every packet from the monitor is a stream number (2 stdout, 3 stderr) and up to 8 KiB; packets to
it are stdin, at most 32 KiB each. The monitor is one thread that blocks on a reader who does not
read: its log and its other readers would wait too. So we read ahead up to a bound and only then
let the process feel it; once the process has ended everything is taken in, which is little (what
its pipes held), so that a reader who sleeps cannot keep the exit from being noticed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import deque
from pathlib import Path

from api.errors import Internal
from engine.adapters.pidfd import has_ended, settle

_PACKET = 65536
_STDIN_PACKET = 32768
_CHUNK = 256 * 1024
_AHEAD = 1 << 20
_CHECK_S = 0.5
_CONNECT_TIMEOUT_S = 10.0
# Packets waiting in the kernel: what it allows us by default is too few of 8 KiB.
_SOCKET_BUFFER = 1 << 20


class ConmonStream:
    """Fulfils `MonitorStream`."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._process = -1
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[tuple[int, list[bytes]]] = deque()
        self._held = 0
        self._at_end = False
        self._is_closed = False
        self._is_paused = False
        self._arrival: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writer: asyncio.Future[None] | None = None
        self._loop.add_reader(connection.fileno(), self._take)

    def watch(self, pid: int) -> None:
        """Tell which process this is about: after its end everything is taken in."""
        with contextlib.suppress(OSError):
            self._process = os.pidfd_open(pid)

    async def read(self) -> tuple[int, bytes] | None:
        """Return (stream, payload) of up to 256 KiB, None at the end. One reader at a time."""
        while not self._chunks:
            if self._at_end or self._is_closed:
                return None
            self._arrival = self._loop.create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None
        stream, parts = self._chunks.popleft()
        payload = parts[0] if len(parts) == 1 else b"".join(parts)
        self._held -= len(payload)
        if self._is_paused and self._held < _AHEAD // 2:
            self._resume()
        return stream, payload

    async def write(self, data: bytes) -> None:
        """Send to stdin; a process that is gone swallows it."""
        view = memoryview(data)
        while view and not self._is_closed:
            try:
                self._socket.send(view[:_STDIN_PACKET])
            except BlockingIOError:
                await self._writable()
            except OSError:
                return
            else:
                view = view[_STDIN_PACKET:]

    def write_eof(self) -> None:
        """Close stdin, unless the monitor was told to leave it open."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Leave; the process goes on."""
        if self._is_closed:
            return
        self._is_closed = True
        descriptor = self._socket.fileno()
        self._loop.remove_reader(descriptor)
        self._loop.remove_writer(descriptor)
        if self._timer is not None:
            self._timer.cancel()
        self._socket.close()
        if self._process >= 0:
            os.close(self._process)
        self._wake()
        if self._writer is not None:
            settle(self._writer)

    def _take(self) -> None:
        taken = 0
        while taken < _CHUNK:
            try:
                packet = self._socket.recv(_PACKET)
            except BlockingIOError:
                break
            except OSError:
                packet = b""
            if not packet:
                self._finish()
                break
            self._store(packet)
            taken += len(packet)
        if self._held >= _AHEAD and not self._at_end:
            self._pause()
        self._wake()

    def _store(self, packet: bytes) -> None:
        stream = packet[0] - 1
        payload = packet[1:]
        if not payload:
            return
        self._held += len(payload)
        if self._chunks and self._chunks[-1][0] == stream and len(self._chunks[-1][1]) < 32:
            self._chunks[-1][1].append(payload)
        else:
            self._chunks.append((stream, [payload]))

    def _finish(self) -> None:
        self._at_end = True
        self._loop.remove_reader(self._socket.fileno())

    def _pause(self) -> None:
        self._is_paused = True
        self._loop.remove_reader(self._socket.fileno())
        self._timer = self._loop.call_later(_CHECK_S, self._check)

    def _check(self) -> None:
        """Go on past the bound once the process has ended: the rest is small."""
        if self._process < 0 or has_ended(self._process):
            self._is_paused = False
            self._loop.add_reader(self._socket.fileno(), self._take_rest)
        else:
            self._timer = self._loop.call_later(_CHECK_S, self._check)

    def _take_rest(self) -> None:
        try:
            packet = self._socket.recv(_PACKET)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if packet:
            self._store(packet)
        else:
            self._finish()
        self._wake()

    def _resume(self) -> None:
        self._is_paused = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._at_end and not self._is_closed:
            self._loop.add_reader(self._socket.fileno(), self._take)

    def _wake(self) -> None:
        if self._arrival is not None:
            settle(self._arrival)

    async def _writable(self) -> None:
        self._writer = self._loop.create_future()
        writer = self._writer
        descriptor = self._socket.fileno()
        self._loop.add_writer(descriptor, settle, writer)
        try:
            await writer
        finally:
            if not self._is_closed:
                self._loop.remove_writer(descriptor)
            self._writer = None


async def connect(directory: Path) -> ConmonStream:
    """Connect to the monitor whose directory this is.

    Errors:  Internal when it is gone or does not answer.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(0)
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            await _connect(connection, directory)
    except BaseException as error:
        connection.close()
        if isinstance(error, OSError):
            raise Internal(f"cannot attach: {os.strerror(error.errno or 0)}") from error
        raise
    return ConmonStream(connection)


async def _connect(connection: socket.socket, directory: Path) -> None:
    # The path of a socket may have 108 bytes, a directory more: go through its descriptor.
    opened = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while True:
            try:
                connection.connect(f"/proc/self/fd/{opened}/attach")
            except BlockingIOError:
                await asyncio.sleep(0.005)
            else:
                return
    finally:
        os.close(opened)
