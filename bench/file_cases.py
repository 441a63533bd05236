"""Files in and out of a running container: one large, many small, one small."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.api import Connection
from bench.cases import SLEEP, seconds
from bench.measure import Case
from bench.servers import Server

LARGE_BYTES = 100 << 20
MANY = 3000


class FileCases:
    """Measured with `docker cp`, on files of this machine's temporary directory."""

    def __init__(self) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="skep-bench-files-"))
        self._containers: dict[str, str] = {}

    def cases(self) -> list[Case]:
        """Return all of them."""
        return [
            Case("cp in, 100 MB", "ms", "lower", 1.0, self._into("large"), 5),
            Case("cp out, 100 MB", "ms", "lower", 1.0, self._out_of("large"), 5),
            Case("cp in, 3,000 files", "ms", "lower", 1.0, self._into("many"), 3),
            Case("cp out, 3,000 files", "ms", "lower", 1.0, self._out_of("many"), 3),
            Case("cp in, one file", "ms", "lower", 1.0, self._into("one"), 7),
            Case("cp out, one file", "ms", "lower", 1.0, self._out_of("one"), 7),
        ]

    def close(self) -> None:
        """Delete the files."""
        shutil.rmtree(self._root, ignore_errors=True)

    def _into(self, name: str) -> Callable[[Server], float]:
        def run(server: Server) -> float:
            source, ref = self._source(name), self._container(server)
            server.docker("exec", ref, "rm", "-rf", f"/{name}")
            return 1000 * seconds(lambda: server.docker("cp", str(source), f"{ref}:/{name}"))

        return run

    def _out_of(self, name: str) -> Callable[[Server], float]:
        put = self._into(name)
        there: set[str] = set()

        def run(server: Server) -> float:
            ref, target = self._container(server), self._root / f"back-{name}"
            if server.name not in there:
                put(server)
                there.add(server.name)
            took = 1000 * seconds(lambda: server.docker("cp", f"{ref}:/{name}", str(target)))
            shutil.rmtree(target) if target.is_dir() else target.unlink()
            return took

        return run

    def _container(self, server: Server) -> str:
        if server.name not in self._containers:
            api = Connection(server.socket)
            body = {**SLEEP, "HostConfig": {"NetworkMode": "none"}}
            ref: str = api.call("POST", "/containers/create", body)["Id"]
            api.call("POST", f"/containers/{ref}/start")
            self._containers[server.name] = ref
        return self._containers[server.name]

    def _source(self, name: str) -> Path:
        source = self._root / name
        if source.exists():
            return source
        if name == "many":
            for number in range(MANY):
                file = source / f"{number // 50}" / f"{number}"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(os.urandom(2000))
        else:
            source.write_bytes(os.urandom(LARGE_BYTES if name == "large" else 2000))
        return source
