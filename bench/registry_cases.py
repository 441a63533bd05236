"""Pulling from a registry on the loopback and pushing to it, with pings by another client."""

from __future__ import annotations

import time
from contextlib import ExitStack
from statistics import median

from bench.cases import seconds
from bench.image_cases import Pinger, image_layers
from bench.measure import Case
from bench.servers import Server
from tests.root.images import ImageSpec, docker_archive
from tests.root.registry import BINARY, RegistryServer, run_registry

NAME = "bench/pull"


class RegistryCases:
    """Debian's docker-registry with the image that is loaded too, its layers gzipped."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._registry: RegistryServer | None = None
        self._megabytes = 0.0
        self._loaded: set[str] = set()
        self._worst_ms: dict[str, list[float]] = {}

    def cases(self) -> list[Case]:
        """Return pull and the ping beside it; nothing where there is no registry."""
        if BINARY is None:
            return []
        return [
            Case("pull", "MB/s", "higher", 1.0, self.pull, 3),
            Case("worst ping in pull", "ms", "lower", 1.0, self.worst_ping, 1),
            Case("push", "MB/s", "higher", 1.0, self.push, 3),
        ]

    def pull(self, server: Server) -> float:
        """Return MB/s of `docker pull`, by uncompressed size."""
        name = f"{self._host()}/{NAME}:latest"
        with Pinger(server) as pinger:
            begin = time.perf_counter()
            server.docker("pull", "-q", name)
            took = time.perf_counter() - begin
        self._worst_ms.setdefault(server.name, []).append(pinger.worst_ms)
        server.docker("rmi", name)
        return self._megabytes / took

    def push(self, server: Server) -> float:
        """Return MB/s of `docker push` to a registry that has none of it, by uncompressed size."""
        source = f"{self._host()}/{NAME}:latest"
        if server.name not in self._loaded:
            # loaded, not pulled: what came from a registry may be known to be there
            server.docker("load", "-q", stdin=docker_archive([ImageSpec([source], image_layers())]))
            self._loaded.add(server.name)
        with run_registry() as empty:
            name = f"{empty.host}/{NAME}:latest"
            server.docker("tag", source, name)
            took = seconds(lambda: server.docker("push", "-q", name))
            server.docker("rmi", name)
        return self._megabytes / took

    def worst_ping(self, server: Server) -> float:
        """Return the median over the pulls of the longest ping in ms."""
        return median(self._worst_ms[server.name])

    def close(self) -> None:
        """End the registry."""
        self._stack.close()

    def _host(self) -> str:
        if self._registry is None:
            self._registry = self._stack.enter_context(run_registry())
            layers = image_layers()
            self._megabytes = sum(map(len, layers)) / (1 << 20)
            self._registry.push(NAME, "latest", layers)
        return self._registry.host
