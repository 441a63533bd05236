"""A local network of hosts, each a network namespace, joined by a bridge in a namespace of its own.

Nothing of it is in the machine's own namespace but the names of the namespaces; deleting those
takes links, addresses and rules along. So many networks can stand beside one another.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.root.node import wait_until

_PREFIX = "10.231.0."
_PREFIX6 = "fd23:1::"
_FIRST_HOST = 11
_QUIET = """
setting=/proc/sys/net/bridge/bridge-nf-call-{family}
[ ! -e $setting ] || echo 0 >$setting
"""
_CUT = """
table bridge cut {
  set pairs { type ipv4_addr . ipv4_addr; }
  chain forward {
    type filter hook forward priority 0;
    ip saddr . ip daddr @pairs drop
  }
}
"""


@dataclass
class Lan:
    """`size` namespaces, numbered from 0; `name` makes theirs unlike those of other networks."""

    name: str
    size: int
    _cuts: set[tuple[int, int]] = field(default_factory=set, init=False)

    def build(self) -> None:
        """Make the namespaces, the bridge and the links between them."""
        run("ip", "netns", "add", self._switch)
        self._in_switch("ip", "link", "add", "lan", "type", "bridge")
        self._in_switch("ip", "link", "set", "lan", "up")
        # A cable looks into no packet. A kernel without br_netfilter has no such settings.
        for family in ("iptables", "ip6tables", "arptables"):
            self._in_switch("sh", "-c", _QUIET.format(family=family))
        subprocess.run(
            ["ip", "netns", "exec", self._switch, "nft", "-f", "-"],
            input=_CUT, text=True, check=True, capture_output=True,
        )  # fmt: skip
        for number in range(self.size):
            self._add_host(number)

    def destroy(self) -> None:
        """Take all of it away, processes included; fine if half of it is there."""
        for number in range(self.size):
            with suppress(FileNotFoundError):
                kill_all(self.processes(number))
            run("ip", "netns", "del", self.namespace(number), check=False)
        run("ip", "netns", "del", self._switch, check=False)

    def namespace(self, number: int) -> str:
        """Return the name of a host's network namespace."""
        return f"skep-{self.name}-{number}"

    def address(self, number: int) -> str:
        """Return a host's address."""
        return f"{_PREFIX}{_FIRST_HOST + number}"

    def address6(self, number: int) -> str:
        """Return a host's IPv6 address."""
        return f"{_PREFIX6}{_FIRST_HOST + number}"

    def processes(self, number: int) -> list[int]:
        """Return who runs in a host's network, and their children, containers' processes too."""
        inode = os.stat(f"/run/netns/{self.namespace(number)}").st_ino
        return descendants(pid for pid in _all_pids() if _network_of(pid) == inode)

    def cut(self, *senders: int, to: Iterable[int]) -> None:
        """Drop what these hosts send to those; the other way stays open."""
        self._change("add", {(a, b) for a in senders for b in to if a != b} - self._cuts)

    def part(self, *one_side: int) -> None:
        """Drop everything, both ways, between these hosts and the others."""
        others = [each for each in range(self.size) if each not in one_side]
        self.cut(*one_side, to=others)
        self.cut(*others, to=one_side)

    def heal(self) -> None:
        """Let everything pass again."""
        self._change("delete", set(self._cuts))

    def unplug(self, number: int) -> None:
        """Take the cable out: the host sees its link go down."""
        self._in_switch("ip", "link", "set", f"port{number}", "down")

    def plug(self, number: int) -> None:
        """Put it back."""
        self._in_switch("ip", "link", "set", f"port{number}", "up")

    @property
    def _switch(self) -> str:
        return f"skep-{self.name}-lan"

    def _change(self, verb: str, pairs: set[tuple[int, int]]) -> None:
        if not pairs:
            return
        listed = ", ".join(f"{self.address(a)} . {self.address(b)}" for a, b in pairs)
        self._in_switch("nft", verb, "element", "bridge", "cut", "pairs", f"{{ {listed} }}")
        self._cuts ^= pairs

    def _add_host(self, number: int) -> None:
        space = self.namespace(number)
        run("ip", "netns", "add", space)
        self._in_switch(
            "ip", "link", "add", f"port{number}", "type", "veth",
            "peer", "name", "eth0", "netns", space,
        )  # fmt: skip
        self._in_switch("ip", "link", "set", f"port{number}", "master", "lan", "up")
        for command in (
            ("ip", "link", "set", "lo", "up"),
            ("ip", "addr", "add", f"{self.address(number)}/24", "dev", "eth0"),
            ("ip", "addr", "add", f"{self.address6(number)}/64", "dev", "eth0", "nodad"),
            ("ip", "link", "set", "eth0", "up"),
        ):
            run("ip", "netns", "exec", space, *command)

    def _in_switch(self, *command: str) -> None:
        run("ip", "netns", "exec", self._switch, *command)


def run(*command: str, check: bool = True) -> str:
    """Run a command; return what it prints, or fail with what it complains of."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        message = f"{' '.join(command)}: {done.stderr or done.stdout}"
        raise AssertionError(message)
    return done.stdout


def kill_all(pids: Iterable[int]) -> None:
    """SIGKILL at once, and wait until none of them is left."""
    doomed = list(pids)
    for pid in doomed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, doomed)), f"the end of {doomed}")


def is_alive(pid: int) -> bool:
    """Tell whether a process still runs; one that is dead but not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _all_pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()]


def _network_of(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return 0


def descendants(pids: Iterable[int]) -> list[int]:
    """Return these processes, their children, and theirs."""
    children: dict[int, list[int]] = {}
    for pid in _all_pids():
        with suppress(FileNotFoundError, ProcessLookupError):
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(pid)
    found: dict[int, None] = {}
    waiting = list(pids)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found[pid] = None
            waiting += children.get(pid, [])
    return list(found)
