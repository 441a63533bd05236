"""`skep daemon` on a host, killed at a step that a test chooses: `python -m tests.cluster.mortal`.

A step is what changes something outside of the daemon: messages to the kernel about links, rules,
commits of records, namespaces that are kept or let go, files that come and go, programs that are
started, and questions to a manager. The daemon dies before it takes the step.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.host import Host

_FILE = "SKEP_TEST_STEPS_LEFT"
_COUNT = struct.Struct("=i")
_AUDITED = {
    "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink",
    "os.fork", "os.posix_spawn", "subprocess.Popen",
}  # fmt: skip


@dataclass
class MortalHost(Host):
    """A host whose daemon is killed at the n-th step from when it `is_to_die_at`."""

    @property
    def daemon(self) -> list[str]:
        """The daemon's command line, as it is in the host."""
        program, flag, _, *words = super().daemon
        self._steps_left.parent.mkdir(parents=True, exist_ok=True)
        self._steps_left.write_bytes(_COUNT.pack(0))
        return ["env", f"{_FILE}={self._steps_left}", program, flag, "tests.cluster.mortal", *words]

    def is_to_die_at(self, step: int) -> None:
        """Let it die at this of the steps to come; 0 for at none."""
        with self._steps_left.open("r+b") as file:
            file.write(_COUNT.pack(step))

    def has_died(self) -> bool:
        """Tell whether it took all its steps, and is gone then; it lives on if it did not."""
        (left,) = _COUNT.unpack(self._steps_left.read_bytes())
        if left:
            self.is_to_die_at(0)
            return False
        assert self.process is not None
        self.process.wait(10)
        return True

    @property
    def _steps_left(self) -> Path:
        return self.root / "steps-left"


def _arm(path: str) -> None:
    with Path(path).open("r+b") as file:
        left = mmap.mmap(file.fileno(), _COUNT.size)
    lock = threading.Lock()

    def take(*_: object) -> None:
        with lock:
            (count,) = _COUNT.unpack(left[: _COUNT.size])
            if count:
                left[: _COUNT.size] = _COUNT.pack(count - 1)
            if count == 1:
                os.kill(os.getpid(), signal.SIGKILL)

    _count_calls(take)
    sys.addaudithook(lambda event, _: take() if event in _AUDITED else None)


def _count_calls(take: Callable[..., None]) -> None:
    from sqlalchemy import Engine, event  # noqa: PLC0415  (after the tests' own imports)

    from agent.overlay import NodeOverlays  # noqa: PLC0415
    from engine.adapters import netns  # noqa: PLC0415
    from engine.adapters.netlink import NetlinkSocket  # noqa: PLC0415
    from engine.adapters.nftables import NftContext  # noqa: PLC0415

    event.listen(Engine, "commit", take)
    for owner, name in (
        (NetlinkSocket, "send"), (NftContext, "run"),
        (netns._libc, "mount"), (netns._libc, "umount2"),
    ):  # fmt: skip
        setattr(owner, name, _counted(getattr(owner, name), take))
    attach = NodeOverlays.attach

    async def counted_attach(*arguments: Any) -> Any:
        take()
        place = await attach(*arguments)
        take()
        return place

    setattr(NodeOverlays, "attach", counted_attach)  # noqa: B010  (mypy knows it as a method)


def _counted(call: Callable[..., Any], take: Callable[..., None]) -> Callable[..., Any]:
    def counted(*arguments: Any, **named: Any) -> Any:
        take()
        return call(*arguments, **named)

    return counted


if __name__ == "__main__":
    from agent.cli.main import main

    _arm(os.environ[_FILE])
    sys.exit(main())
