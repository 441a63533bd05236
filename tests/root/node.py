"""A real daemon on directories, a bridge and a firewall table of its own, for tests and bench."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from docker.client import DockerClient

from tests import lane

# How many times longer than here things may take: more on an emulated machine.
PATIENCE = float(os.environ.get("SKEP_TEST_PATIENCE", "1"))
# Where all takes longer, looking does too: it must not take the time of what is waited for.
_LOOK_S = 0.01 * PATIENCE


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Return when the condition holds; fail naming `what` when it does not in time."""
    deadline = time.monotonic() + timeout_s * PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            message = f"timed out waiting for {what}"
            raise AssertionError(message)
        time.sleep(_LOOK_S)


@dataclass
class Node:
    """One `skep daemon`; `name` (at most 8 letters) makes its bridge and table unlike others'."""

    root: Path
    name: str
    flags: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def socket(self) -> Path:
        """The API's unix socket."""
        return self.root / "skep.sock"

    @property
    def url(self) -> str:
        """The socket as DOCKER_HOST has it."""
        return f"unix://{self.socket}"

    @property
    def log(self) -> Path:
        """Where the daemon's own log goes."""
        return self.root / "daemon.log"

    @property
    def command(self) -> list[str]:
        """The daemon's command line."""
        return [
            sys.executable, "-m", "agent", "daemon",
            "--config-file", str(self.root / "daemon.json"),
            "--host", self.url,
            "--data-root", str(self.root / "data"),
            "--exec-root", str(self.root / "exec"),
            "--pidfile", str(self.root / "skep.pid"),
            "--bridge", f"br-{self.name}",
            "--firewall-table", f"skep-{self.name}",
            *lane.POOL_FLAG,
            *self.flags,
        ]  # fmt: skip

    def start(self) -> None:
        """Start the daemon and return when it answers a ping."""
        self.root.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_until(self._answers, f"the daemon to answer; its log: {self.log}", 30)

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            message = f"the daemon ended: {self.log.read_text()[-3000:]}"
            raise AssertionError(message)
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(5)
                client.connect(str(self.socket))
                client.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return b" 200 " in client.recv(4096)
        except OSError:
            return False

    def is_running(self) -> bool:
        """Tell whether the daemon's process is there."""
        return self.process is not None and self.process.poll() is None

    def revive(self) -> None:
        """Have it answer again, whatever moment a test ended at."""
        if self.is_running():
            wait_until(self._answers, f"the daemon to answer; its log: {self.log}", 30)
        else:
            self.start()

    def kill(self) -> None:
        """End the daemon as a crash would: SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End the daemon as an operator would: SIGTERM."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def docker(
        self,
        *args: str,
        check: bool = True,
        stdin: bytes | None = None,
        timeout_s: float = 60,
        environment: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the docker CLI against this daemon."""
        done = subprocess.run(
            ["docker", "-H", self.url, *args],
            input=stdin,
            capture_output=True,
            timeout=timeout_s * PATIENCE,
            check=False,
            env={**os.environ, "DOCKER_CONFIG": str(self.root / "cli"), **(environment or {})},
        )
        result = subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )
        if check and done.returncode != 0:
            message = f"docker {' '.join(args)}: {done.returncode}: {result.stderr}{result.stdout}"
            raise AssertionError(message)
        return result

    def inspect(self, ref: str) -> dict[str, object]:
        """Return `docker inspect` of one container."""
        found: list[dict[str, object]] = json.loads(self.docker("container", "inspect", ref).stdout)
        return found[0]

    def api(self) -> DockerClient:
        """Return a docker-py client."""
        return DockerClient(base_url=self.url, timeout=int(60 * PATIENCE))

    def remove_containers(self) -> None:
        """Remove every container, running or not."""
        ids = self.docker("ps", "-aq", "--no-trunc").stdout.split()
        if ids:
            self.docker("rm", "-f", "-v", *ids)

    def remove_volumes(self) -> None:
        """Remove every volume that no container has."""
        every = "filters=%7B%22all%22%3A%5B%22true%22%5D%7D"
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60 * PATIENCE)
            client.connect(str(self.socket))
            head = f"POST /volumes/prune?{every} HTTP/1.1\r\nHost: x\r\n"
            client.sendall(f"{head}Connection: close\r\nContent-Length: 0\r\n\r\n".encode())
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert b" 200 " in answer.partition(b"\r\n")[0], answer

    def destroy(self) -> None:
        """Remove the containers, end the daemon and take away all that it made."""
        try:
            if self.is_running() or self.leftovers()["bundles"]:
                self.revive()
                self.remove_containers()
                # Their bridges would outlive the daemon.
                self.docker("network", "prune", "-f")
        finally:
            self.stop()
            self._sweep()

    def _sweep(self) -> None:
        subprocess.run(["ip", "link", "del", f"br-{self.name}"], capture_output=True, check=False)
        table = f"skep-{self.name}"
        subprocess.run(["nft", "delete", "table", "inet", table], capture_output=True, check=False)
        for mount in reversed(self.mounts()):
            subprocess.run(["umount", "-l", mount], capture_output=True, check=False)
        shutil.rmtree(self.root, ignore_errors=True)

    def mounts(self) -> list[str]:
        """Return the mount points under this daemon's directories, outermost first."""
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        points = [line.split()[4] for line in lines]
        return sorted(point for point in points if point.startswith(f"{self.root}/"))

    def leftovers(self) -> dict[str, list[str]]:
        """Return what a daemon without containers should not have: mounts, links, bundles."""
        links = subprocess.run(
            ["ip", "-o", "link", "show", "master", f"br-{self.name}"],
            capture_output=True, text=True, check=False,
        ).stdout.splitlines()  # fmt: skip
        return {
            "mounts": self.mounts(),
            "links": links,
            "netns": _names(self.root / "exec" / "netns"),
            "bundles": _names(self.root / "exec" / "containers"),
            "roots": _names(self.root / "data" / "roots"),
        }

    def await_nothing_left(self) -> None:
        """Wait until nothing is left of the containers that were removed; tell what stays."""
        until = time.monotonic() + 10 * PATIENCE
        while any((left := self.leftovers()).values()):
            assert time.monotonic() < until, left
            time.sleep(0.02)


def _names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir()) if directory.is_dir() else []
