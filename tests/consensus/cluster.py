"""Members as processes on the loopback, and clients of them."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from protos.identity.certificates import Identity, Role
from protos.identity.channels import Credentials
from tests.authority import Authority
from tests.cluster.lan import Lan
from tests.consensus.member import CLUSTER

_WAIT_S = 30.0


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Refused(Exception):
    """A member answered with an error; the first argument names its class."""


class Client:
    """One connection to one member; requests go one after another."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, op: str, **given: Any) -> dict[str, Any]:
        """Return a member's answer. Errors: Refused; OSError when it is lost in the middle."""
        if self._streams is None:
            self._streams = await asyncio.open_unix_connection(self._path)
        reader, writer = self._streams
        writer.write(json.dumps({"op": op, **given}).encode() + b"\n")
        await writer.drain()
        line = await reader.readline()
        if not line.endswith(b"\n"):
            self.close()
            raise ConnectionResetError("the member is gone")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Refused(answer["error"], answer["message"])
        return answer

    def close(self) -> None:
        """End the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Node:
    """A member: its folder, its ports, and its process while there is one."""

    def __init__(
        self,
        folder: Path,
        socket_path: Path,
        address: str,
        *,
        inside: str,
        settings: dict[str, Any],
    ) -> None:
        """Make one. inside: the network namespace that it is to run in, or ""."""
        self.folder = folder
        self.name = folder.name
        self.socket = socket_path
        self.address = address
        self._inside = ("ip", "netns", "exec", inside) if inside else ()
        self._settings = settings
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process."""
        assert self.process is not None
        return self.process.pid

    def start(self, *options: str) -> None:
        """Start the process; it may take a while until it answers."""
        command = [*self._inside, sys.executable, "-m", "tests.consensus.member"]
        command += ["--folder", str(self.folder), "--node", self.name, "--address", self.address]
        command += ["--clients", str(self.socket), "--settings", json.dumps(self._settings)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*command, *options], stdout=log, stderr=log)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, and wait for its end; fine if it has ended."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def ask(self, op: str, **given: Any) -> dict[str, Any]:
        """Ask over a connection of its own."""
        client = Client(self.socket)
        try:
            return await client.ask(op, **given)
        finally:
            client.close()

    async def status(self) -> dict[str, Any] | None:
        """Return what it tells about itself; None if it does not answer."""
        try:
            async with asyncio.timeout(1):
                return await self.ask("status")
        except (OSError, TimeoutError):
            return None

    def said(self) -> str:
        """Return what it printed."""
        return (self.folder / "log").read_text()


class Cluster:
    """Members of one consensus; each in a host of a network if there is one."""

    def __init__(self, folder: Path, lan: Lan | None = None, **settings: Any) -> None:
        self._folder = folder
        self._sockets = Path(tempfile.mkdtemp(prefix="skep-members-"))  # their paths must be short
        self.authority = Authority()
        self._lan = lan
        self._settings = settings
        self.nodes: list[Node] = []

    def add(self, folder: Path | None = None) -> Node:
        """Make a member with a certificate, in a folder of its own; it is not started."""
        number = len(self.nodes)
        folder = folder or self._folder / f"node{number}"
        folder.mkdir(exist_ok=True)
        shown = self.credentials(Identity(folder.name, Role.MANAGER, CLUSTER))
        for file, content in zip(
            ("root.crt", "node.crt", "node.key"), (shown.roots, shown.chain, shown.key), strict=True
        ):
            (folder / file).write_bytes(content)
        node = Node(
            folder,
            self._sockets / folder.name,
            f"{self._lan.address(number)}:2377" if self._lan else f"127.0.0.1:{free_port()}",
            inside=self._lan.namespace(number) if self._lan else "",
            settings=self._settings,
        )
        self.nodes.append(node)
        return node

    def credentials(self, identity: Identity, authority: Authority | None = None) -> Credentials:
        """Return what a node shows that trusts this cluster, issued by its authority or another."""
        issued = (authority or self.authority).issue(identity)
        return issued.credentials(self.authority.certificate)

    async def begin(self, count: int) -> None:
        """Start a cluster of so many voters."""
        first = self.add()
        first.start("--begin")
        await until(lambda: leads(first), "the first member to lead")
        for _ in range(1, count):
            node = self.add()
            node.start("--join", first.address)
        await self.whole()

    async def whole(self) -> None:
        """Return when everyone is a voter and knows everyone."""
        await until(self._is_whole, "all to be voters")

    async def leader(self, *among: Node) -> Node:
        """Return the member that leads, once one does."""
        found: list[Node] = []

        async def is_led() -> bool:
            for node in among or self.nodes:
                if await leads(node):
                    found.append(node)
                    return True
            return False

        await until(is_led, "a leader")
        return found[-1]

    async def followers(self) -> list[Node]:
        """Return those that do not lead."""
        leader = await self.leader()
        return [node for node in self.nodes if node is not leader]

    def end(self) -> None:
        """Kill everyone."""
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self._sockets)

    async def _is_whole(self) -> bool:
        for node in self.nodes:
            status = await node.status()
            if status is None or not status["is_voter"] or not status["leader"]:
                return False
            if len([m for m in status["members"] if not m["is_learner"]]) != len(self.nodes):
                return False
        return True


@asynccontextmanager
async def running(
    folder: Path, count: int, lan: Lan | None = None, **settings: Any
) -> AsyncIterator[Cluster]:
    """Lend a cluster of so many voters."""
    cluster = Cluster(folder, lan, **settings)
    try:
        await cluster.begin(count)
        yield cluster
    except BaseException:
        for node in cluster.nodes:
            print(f"--- {node.name}", node.said()[-3000:], sep="\n")  # noqa: T201 - for who looks at the failure
        raise
    finally:
        cluster.end()


async def leads(node: Node) -> bool:
    """Tell whether a member leads."""
    status = await node.status()
    return status is not None and bool(status["is_leader"])


async def until(
    condition: Callable[[], Awaitable[bool]], what: str, limit_s: float = _WAIT_S
) -> None:
    """Return when a condition holds; fail if that takes too long."""
    deadline = time.monotonic() + limit_s
    while not await condition():
        assert time.monotonic() < deadline, f"waited {limit_s} s for {what}"
        await asyncio.sleep(0.02)


async def write(nodes: Sequence[Node], key: str, value: int, limit_s: float = _WAIT_S) -> float:
    """Write through whoever leads, trying until it is acknowledged; return after what time."""
    began = time.monotonic()
    while time.monotonic() < began + limit_s:
        for node in nodes:
            try:
                async with asyncio.timeout(limit_s):
                    await node.ask("write", key=key, value=value)
            except (OSError, Refused):
                continue
            return time.monotonic() - began
        await asyncio.sleep(0.005)
    raise AssertionError(f"no write was acknowledged within {limit_s} s")
