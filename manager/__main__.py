"""`python -m manager`: one manager as a process, mostly a child of the node's daemon.

It prints one line of JSON on standard output once its socket serves, {"ready": true, "locked": ...,
"node_id": ...}, or {"error": ..., "code": ...} when it cannot begin. Its log is on standard error.
It ends with 0 when it was asked to, with 3 when it was removed from the cluster, with 1 otherwise.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec
import structlog
import uvloop

from api.error_groups import single
from api.errors import SkepError
from api.lasting_imports import lasting_imports
from api.logs import set_up_logs
from api.manager_exit import REMOVED_CODE
from manager.options import InitOrders, Options, parse, read_orders

if TYPE_CHECKING:
    from manager.manager import Ready

log = structlog.get_logger(__name__)

# How long a thread that computes (a dump, say) may keep the loop from running: Python's own 5 ms
# would be waited for again and again in one write.
_SWITCH_INTERVAL_S = 0.0005


def main() -> int:
    """Run a manager to its end; return the exit code."""
    options = parse(sys.argv[1:])
    set_up_logs(options.log_level, options.log_format)
    os.umask(0o077)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    teller = _Teller()
    root = _root()
    try:
        orders = read_orders(sys.stdin.buffer.read()) if options.init else InitOrders()
        uvloop.run(_run(root, options, orders, teller))
    except Exception as error:
        cause = single(error)
        if not isinstance(cause, SkepError):
            log.exception("manager.failed")
            cause = SkepError(f"internal error: {type(cause).__name__}: {cause}")
        teller.fail(cause)
        return REMOVED_CODE if isinstance(cause, root.RemovedFromCluster) else 1
    return 0


def _root() -> ModuleType:
    """Return the root, imported now."""
    with lasting_imports():
        from manager import manager  # noqa: PLC0415 - it is heavy; --help does without
    return manager


async def _run(root: ModuleType, options: Options, orders: InitOrders, teller: _Teller) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await root.run(options, orders, teller.ready, stop)


class _Teller:
    """Says the one line."""

    def __init__(self) -> None:
        self._has_spoken = False

    def ready(self, what: Ready) -> None:
        # What start-up has made lives on: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        self._say({"ready": True, "locked": what.is_locked, "node_id": what.node_id})
        log.info("manager.ready", node_id=what.node_id, locked=what.is_locked)

    def fail(self, error: SkepError) -> None:
        log.critical("manager.ended", error=error.message)
        if not self._has_spoken:
            self._say({"error": error.message, "code": error.http})

    def _say(self, line: dict[str, object]) -> None:
        self._has_spoken = True
        sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
