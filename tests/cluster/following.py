"""`docker service logs -f`, running all along, and what it has shown."""

from __future__ import annotations

import re
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.host import Host
from tests.root.node import PATIENCE

# Numbers its lines, ten a second, and ends when it is asked to.
COUNT = (
    "busybox", "sh", "-c",
    "trap exit TERM; i=0; while i=$((i+1)); do echo line $i; usleep 100000; done",
)  # fmt: skip
_LINE = re.compile(r"(\S+)@\S+ +\| line (\d+)")


@dataclass
class Followed:
    """What was shown so far; a task is called as the command calls it: service.slot.id."""

    out: Path
    process: subprocess.Popen[bytes]

    def numbers(self) -> dict[str, list[int]]:
        """Return the numbers of the lines, by task, in the order that they came."""
        found: dict[str, list[int]] = defaultdict(list)
        for name, number in _LINE.findall(self.out.read_text(errors="replace")):
            found[name].append(int(number))
        return found

    def end(self) -> str:
        """End the command as a user does, by ^C; return what it complained of."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10 * PATIENCE)
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()


def name_of(task: dict[str, Any], service: str) -> str:
    """Return what the command calls a task of a service."""
    return f"{service}.{task['Slot']}.{task['ID']}"


@contextmanager
def following(manager: Host, service: str) -> Iterator[Followed]:
    """Follow a service's logs at a manager until the end of the block."""
    out = manager.root / f"followed-{service}"
    with out.open("wb") as file:
        process = subprocess.Popen(
            ["docker", "-H", manager.url, "service", "logs", "-f", "--no-trunc", service],
            stdout=file, stderr=subprocess.PIPE,
        )  # fmt: skip
    try:
        yield Followed(out, process)
    finally:
        process.kill()
        process.wait()
