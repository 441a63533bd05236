"""The daemons that are measured: ours, and Debian's dockerd where it is installed."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.root.conftest import new_node
from tests.root.node import Node, wait_until

REFERENCE_DIRECTORY = Path(__file__).parent.parent / "build" / "reference"


@dataclass
class Server:
    """A daemon under measurement: `marker` is in the command line of each of its helpers."""

    name: str
    url: str
    marker: str
    pid: int

    @property
    def socket(self) -> str:
        """The path of the unix socket."""
        return self.url.removeprefix("unix://")

    def docker(self, *args: str, stdin: bytes | None = None, timeout_s: float = 600) -> str:
        """Run the docker CLI; return its output, fail on an error."""
        done = subprocess.run(
            ["docker", "-H", self.url, *args],
            input=stdin, capture_output=True, timeout=timeout_s, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            message = f"{self.name}: docker {' '.join(args)}: {done.stderr.decode()}"
            raise RuntimeError(message)
        return done.stdout.decode()

    def remove_containers(self) -> None:
        """Remove every container."""
        if ids := self.docker("ps", "-aq", "--no-trunc").split():
            self.docker("rm", "-f", "-v", *ids)


class Skep:
    """Our daemon on directories of its own."""

    def __init__(self) -> None:
        self._node: Node = new_node()

    def start(self) -> Server:
        """Start it and return its address."""
        self._node.start()
        assert self._node.process is not None
        return Server("skep", self._node.url, str(self._node.root), self._node.process.pid)

    def stop(self) -> None:
        """End it and remove what it made."""
        self._node.destroy()


class Reference:
    """Debian's dockerd: on PATH, or unpacked under build/reference."""

    def __init__(self) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="skep-reference-"))
        # Several runs may go on at once: each its own bridge and addresses.
        number = secrets.randbelow(250)
        self._bridge = f"br-reference{number}"
        self._address = f"10.213.{number}.1/24"
        self._process: subprocess.Popen[bytes] | None = None
        self._tables_before: set[str] = set()

    @staticmethod
    def path() -> str:
        """Return PATH with the unpacked package in front."""
        parts = [str(REFERENCE_DIRECTORY / "usr" / part) for part in ("bin", "sbin")]
        return ":".join([*parts, os.environ["PATH"]])

    @classmethod
    def is_installed(cls) -> bool:
        """Tell whether there is a dockerd to compare with."""
        return shutil.which("dockerd", path=cls.path()) is not None

    def start(self) -> Server:
        """Start it with a bridge of its own and return its address."""
        self._tables_before = _tables()
        bridge = self._bridge
        subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], check=True)
        subprocess.run(["ip", "addr", "add", self._address, "dev", bridge], check=True)
        subprocess.run(["ip", "link", "set", bridge, "up"], check=True)
        socket = self._root / "docker.sock"
        dockerd = shutil.which("dockerd", path=self.path())
        assert dockerd is not None
        with (self._root / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    dockerd,
                    "-H", f"unix://{socket}",
                    "--data-root", str(self._root / "data"),
                    "--exec-root", str(self._root / "exec"),
                    "--pidfile", str(self._root / "docker.pid"),
                    "--bridge", bridge,
                ],
                stdout=log, stderr=log, env={**os.environ, "PATH": self.path()},
            )  # fmt: skip
        wait_until(socket.exists, "dockerd's socket", 60)
        server = Server("dockerd", f"unix://{socket}", str(self._root), self._process.pid)
        wait_until(lambda: bool(server.docker("version")), "dockerd to answer", 60)
        return server

    def stop(self) -> None:
        """End it and remove what it made."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
        # dockerd leaves its rules and the bridge of swarm mode behind
        for table in _tables() - self._tables_before:
            if table in {"ip nat", "ip filter", "ip6 nat", "ip6 filter"}:
                subprocess.run(["nft", "delete", "table", *table.split()], check=False)
        for bridge in (self._bridge, "docker_gwbridge"):
            subprocess.run(["ip", "link", "del", bridge], check=False, capture_output=True)
        for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
            point = line.split()[4]
            if point.startswith(f"{self._root}/"):
                subprocess.run(["umount", "-l", point], check=False)
        shutil.rmtree(self._root, ignore_errors=True)


def _tables() -> set[str]:
    """Return the firewall's tables, as "family name"."""
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True)
    return {line.removeprefix("table ") for line in listed.stdout.splitlines()}
