"""A host of a cluster: a daemon in a network and under a host name of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.cli.unix_http import ask
from tests.cluster.lan import Lan, descendants, kill_all, run
from tests.root.node import Node

_CHUNK = 1 << 16


@dataclass
class Host(Node):
    """One `skep daemon` in the namespace `number` of the network."""

    lan: Lan | None = None
    number: int = 0

    @property
    def network(self) -> Lan:
        """The network that it is on."""
        assert self.lan is not None
        return self.lan

    @property
    def hostname(self) -> str:
        """What the host calls itself."""
        return f"host{self.number}"

    @property
    def address(self) -> str:
        """Where the other hosts find it."""
        return self.network.address(self.number)

    @property
    def address6(self) -> str:
        """Where they find it over IPv6."""
        return self.network.address6(self.number)

    @property
    def daemon(self) -> list[str]:
        """The daemon's command line, as it is in the host."""
        return super().command

    @property
    def command(self) -> list[str]:
        """The daemon's command line, entered from the machine's own namespaces.

        `ip netns exec` would hide the control groups behind a fresh /sys; nsenter does not.
        """
        space = f"/run/netns/{self.network.namespace(self.number)}"
        return [
            "nsenter", f"--net={space}",
            "unshare", "--uts", "sh", "-c", 'hostname "$1"; shift; exec "$@"', "-", self.hostname,
            *self.daemon,
        ]  # fmt: skip

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command in the host's network; return what it prints."""
        space = self.network.namespace(self.number)
        return run("ip", "netns", "exec", space, *command, check=check)

    def info(self) -> dict[str, Any]:
        """Return what `docker info` says of the swarm."""
        found: dict[str, Any] = json.loads(self.docker("info", "-f", "{{json .Swarm}}").stdout)
        return found

    def get(self, target: str) -> Any:
        """Return what a GET of the API answers, decoded."""
        with ask(self.socket, "GET", target) as answer:
            return json.loads(answer.read())

    def manager_pid(self) -> int | None:
        """Return the process of the local manager; None when there is none."""
        assert self.process is not None
        for pid in descendants([self.process.pid]):
            with suppress(FileNotFoundError, ProcessLookupError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if b"manager" in words:
                    return pid
        return None

    def kill_manager(self) -> None:
        """SIGKILL the local manager; the daemon lives and is expected to start it again."""
        pid = self.manager_pid()
        assert pid is not None, "no manager runs"
        kill_all([pid])

    def skep(self, *words: str, check: bool = True) -> str:
        """Run one of our own commands against this daemon; return what it prints."""
        return run(sys.executable, "-m", "agent", *words, "-H", self.url, check=check)

    def crash(self) -> None:
        """End daemon and manager at one blow, as a machine that freezes up for ever would."""
        assert self.process is not None
        kill_all(self.ours())
        self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP daemon and manager: alive, but silent."""
        for pid in self.ours():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT them."""
        for pid in self.ours():
            os.kill(pid, signal.SIGCONT)

    def limit_disk(self, size_mib: int) -> None:
        """Put the data root on a small disk; before the daemon's first start."""
        data = self.root / "data"
        data.mkdir(parents=True, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=0711", "tmpfs", str(data))

    def fill_disk(self) -> None:
        """Leave no free byte on the small disk."""
        with suppress(OSError), (self.root / "data" / "filler").open("ab", buffering=0) as filler:
            while filler.write(bytes(_CHUNK)):
                pass
        with suppress(OSError), (self.root / "data" / "filler").open("ab", buffering=0) as filler:
            while filler.write(b"\0"):
                pass

    def free_disk(self) -> None:
        """Give the space back."""
        (self.root / "data" / "filler").unlink()

    def destroy(self) -> None:
        """Take away all that it is and has, as it stands: containers, monitors, daemon, manager."""
        kill_all(self.network.processes(self.number))
        if self.process is not None:
            self.process.wait()
        self._sweep()

    def _sweep(self) -> None:
        # Bridge and table go with the namespace; mounts and directories do not.
        data = self.root / "data"
        for mount in reversed(self.mounts()):
            subprocess.run(["umount", "-l", mount], capture_output=True, check=False)
        run("rm", "-rf", "--one-file-system", str(self.root), check=False)
        assert not data.exists(), f"{data} is still there"

    def ours(self) -> list[int]:
        """Return the daemon's and the manager's processes, without monitors and containers."""
        if self.process is None or self.process.poll() is not None:
            return []
        manager = self.manager_pid()
        return [self.process.pid, *([] if manager is None else [manager])]
