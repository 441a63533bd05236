"""The managers' HTTP, from request to fsync: `python -m bench.swarm_control`.

Creates are services without replicas, each on the disk before its answer. First through the
sockets of two daemons that are a swarm of one manager each, ours and docker's where it is
installed, in turn; then managers as processes of their own, with mutual TLS between them. Prints
each figure beside its target, and ends with 1 when one is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench.swarms import swarms
from tests.managers.conftest import is_settled
from tests.managers.joining import join
from tests.managers.process import ManagerProcess, wait_until

_SECONDS = 5.0
_TURNS = 5
_TURN_SECONDS = 2.0
_numbers = count()


@dataclass(frozen=True)
class Figure:
    """What was measured: its name, its value, and the least or most that it should be."""

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def is_missed(self) -> bool:
        """Whether it is not what it should be."""
        too_low = self.at_least is not None and self.value < self.at_least
        return too_low or (self.at_most is not None and self.value > self.at_most)

    def line(self) -> str:
        """Return it for people."""
        target = ""
        if self.at_least is not None:
            target = f"at least {self.at_least:g}"
        if self.at_most is not None:
            target = f"at most {self.at_most:g}"
        mark = "MISSED" if self.is_missed else ""
        return f"{self.name:<58} {self.value:>10.1f} {self.unit:<4} {target:<16} {mark}".rstrip()


class Client:
    """One kept connection, with next to no work on this side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @staticmethod
    async def open(path: Path) -> Client:
        """Connect."""
        return Client(*await asyncio.open_unix_connection(str(path), limit=1 << 26))

    async def ask(self, method: str, target: str, body: bytes = b"") -> bytes:
        """Return the answer's body; RuntimeError for an error."""
        head = f"{method} /v1.41{target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        self._writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b"transfer-encoding: chunked" in answer:
            content = await self._chunks()
        else:
            _, _, rest = answer.partition(b"content-length: ")
            content = await self._reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
        if not answer.startswith(b"http/1.1 2"):
            raise RuntimeError(f"{method} {target}: {answer.decode()} {content.decode()}")
        return content

    def close(self) -> None:
        """Disconnect."""
        self._writer.close()

    async def _chunks(self) -> bytes:
        content = b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            content += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)
        return content


def service(replicas: int = 0) -> bytes:
    """Return a service that nobody has yet."""
    return json.dumps(
        {
            "Name": f"bench-{next(_numbers)}",
            "TaskTemplate": {"ContainerSpec": {"Image": "busybox:latest", "Args": ["sleep", "9"]}},
            "Mode": {"Replicated": {"Replicas": replicas}},
        }
    ).encode()


async def creates(path: Path, connections: int, seconds: float = _SECONDS) -> tuple[float, float]:
    """Return creates per second over so many connections, and their p99 in milliseconds."""
    clients = [await Client.open(path) for _ in range(connections)]
    end_s = time.perf_counter() + seconds
    times_s: list[float] = []

    async def work(client: Client) -> None:
        while (began_s := time.perf_counter()) < end_s:
            await client.ask("POST", "/services/create", service())
            times_s.append(time.perf_counter() - began_s)

    await asyncio.gather(*map(work, clients))
    for client in clients:
        client.close()
    times_s.sort()
    return len(times_s) / seconds, times_s[len(times_s) * 99 // 100] * 1000


async def median_ms(path: Path, target: str, rounds: int = 30) -> float:
    """Return how long a GET takes."""
    client = await Client.open(path)
    times_s = []
    for _ in range(rounds):
        began_s = time.perf_counter()
        await client.ask("GET", target)
        times_s.append(time.perf_counter() - began_s)
    client.close()
    return sorted(times_s)[rounds // 2] * 1000


@contextmanager
def managers(number: int) -> Iterator[list[ManagerProcess]]:
    """Lend a cluster of so many managers."""
    with tempfile.TemporaryDirectory(prefix="skep-bench-") as folder, ExitStack() as stack:
        made = [ManagerProcess(Path(folder) / f"m{each}") for each in range(number)]
        for each in made:
            stack.callback(each.kill)
        made[0].init()
        for each in made[1:]:
            join(each, made[0])
        wait_until(lambda: is_settled(made[0], number))
        yield made


async def measure_creates(path: Path, name: str, targets: dict[int, float]) -> list[Figure]:
    """Return the figures of creates over one connection and over 16."""
    found = []
    for connections in (1, 16):
        rate, p99_ms = await creates(path, connections)
        title = f"{name}, {connections} connections: creates"
        found.append(Figure(title, rate, "/s", at_least=targets.get(connections)))
        limit_ms = 50.0 if connections in targets else None
        found.append(
            Figure(f"{name}, {connections} connections: p99", p99_ms, "ms", None, limit_ms)
        )
    return found


async def measure_lists(path: Path, name: str) -> list[Figure]:
    """Return the figures of reads."""
    client = await Client.open(path)
    listed = json.loads(await client.ask("GET", "/services"))
    client.close()
    one_ms = await median_ms(path, f"/services/{listed[0]['ID']}")
    all_ms = await median_ms(path, "/services", 10)
    title = f"{name}: list of {len(listed)} services, per 300"
    return [
        Figure(f"{name}: one service", one_ms, "ms"),
        Figure(title, all_ms * 300 / len(listed), "ms", None, 5.0),
    ]


def measure_daemons(*, alone: bool) -> list[Figure]:
    """Return creates per second through the daemons' sockets, ours beside docker's."""
    with swarms(alone=alone) as servers:
        found = []
        for connections in (1, 16):
            rates: dict[str, list[float]] = {server.name: [] for server in servers}
            for turn in range(_TURNS + 1):
                for server in servers:
                    rate, _ = asyncio.run(creates(Path(server.socket), connections, _TURN_SECONDS))
                    if turn:  # the first one warms up
                        rates[server.name].append(rate)
            medians = {name: statistics.median(each) for name, each in rates.items()}
            found += [
                Figure(
                    f"daemon of {name}, {connections} connections: creates",
                    rate,
                    "/s",
                    at_least=medians.get("dockerd") if name == "skep" else None,
                )
                for name, rate in medians.items()
            ]
        return found


def measure_failover(cluster: list[ManagerProcess]) -> Figure:
    """Return how long after the leader's death the next write is acknowledged."""
    status = cluster[0].get("/cluster/status")
    address = next(each["Address"] for each in status["Members"] if each["IsLeader"])
    leader = next(each for each in cluster if each.address == address)
    other = next(each for each in cluster if each is not leader)
    leader.kill()
    began_s = time.monotonic()
    wait_until(
        lambda: other.request("POST", "/services/create", json.loads(service())).status == 201
    )
    limit_s = 1.5 if len(cluster) == 3 else 3.0
    took_s = time.monotonic() - began_s
    return Figure(f"{len(cluster)} managers: leader killed, next write", took_s, "s", None, limit_s)


def main() -> int:
    """Run all of it; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="bench.swarm_control", description=__doc__)
    parser.add_argument("--alone", action="store_true", help="measure ours only")
    options = parser.parse_args()
    if os.geteuid() == 0:
        figures = measure_daemons(alone=options.alone)
    else:
        sys.stderr.write("daemons need root: only managers are measured\n")
        figures = []
    with managers(1) as [one]:
        figures += asyncio.run(measure_creates(one.socket, "one manager", {}))
        figures += asyncio.run(measure_lists(one.socket, "one manager"))
    with managers(3) as three:
        figures += asyncio.run(measure_creates(three[0].socket, "3 managers", {16: 1000.0}))
        figures += asyncio.run(
            measure_lists(three[1].socket, "3 managers, another than written to")
        )
        figures.append(measure_failover(three))
    with managers(5) as five:
        figures.append(measure_failover(five))
    for figure in figures:
        print(figure.line())
    return int(any(figure.is_missed for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
