"""Loading, while another client asks for a ping all along."""

from __future__ import annotations

import os
import time
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from threading import Event, Thread

from bench.api import Connection
from bench.measure import Case
from bench.servers import Server
from tests.root.images import ImageFile, ImageSpec, docker_archive, make_layer

TAG = "bench/load:latest"
BIG_FILES = 12
BIG_BYTES = 8 << 20
SMALL_FILES = 3000
SMALL_BYTES = 4096


def image_layers() -> list[bytes]:
    """Return three layers: large files, small files, and a mix: about 120 MB."""
    half = os.urandom(BIG_BYTES // 2) + b"skep" * (BIG_BYTES // 8)
    big = make_layer([ImageFile(f"big/{i}", half + bytes([i])) for i in range(BIG_FILES)])
    small = make_layer(
        [ImageFile(f"small/{i % 50}/{i}", os.urandom(SMALL_BYTES)) for i in range(SMALL_FILES)],
        directories=[*("small",), *(f"small/{i}" for i in range(50))],
    )
    mixed = make_layer([ImageFile("mixed/a", half[:4096]), ImageFile("mixed/b", half + b"b")])
    return [big, small, mixed]


class Pinger:
    """Pings in the background; `worst_ms` is the longest answer while it ran."""

    def __init__(self, server: Server) -> None:
        self._stop = Event()
        self._api = Connection(server.socket)
        self._thread = Thread(target=self._run)
        self.worst_ms = 0.0

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            begin = time.perf_counter()
            self._api.request("GET", "/_ping")
            self._api.getresponse().read()
            self.worst_ms = max(self.worst_ms, 1000 * (time.perf_counter() - begin))

    def __enter__(self) -> Pinger:
        self._api.request("GET", "/_ping")  # connecting is not what is measured
        self._api.getresponse().read()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


class LoadCases:
    """The archive on disk."""

    def __init__(self) -> None:
        self._directory = Path(mkdtemp(prefix="skep-bench-"))
        self._archive = self._directory / "image.tar"
        self._worst_ms: dict[str, list[float]] = {}

    def cases(self) -> list[Case]:
        """Return load and the ping beside it."""
        return [
            Case("load", "MB/s", "higher", 1.0, self.load, 3),
            Case("worst ping in load", "ms", "lower", 1.0, self.worst_ping, 1),
        ]

    def load(self, server: Server) -> float:
        """Return MB/s of `docker load`."""
        if not self._archive.exists():
            image = ImageSpec([TAG], image_layers())
            self._archive.write_bytes(docker_archive([image]))
        with Pinger(server) as pinger:
            begin = time.perf_counter()
            server.docker("load", "-q", "-i", str(self._archive))
            took = time.perf_counter() - begin
        self._worst_ms.setdefault(server.name, []).append(pinger.worst_ms)
        server.docker("rmi", TAG)
        return self._archive.stat().st_size / (1 << 20) / took

    def worst_ping(self, server: Server) -> float:
        """Return the median over the loads of the longest ping in ms."""
        return median(self._worst_ms[server.name])

    def close(self) -> None:
        """Remove the archive."""
        self._archive.unlink(missing_ok=True)
        self._directory.rmdir()
