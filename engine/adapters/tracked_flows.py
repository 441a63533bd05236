"""Flows that are forgotten, in the network namespaces where they begin or pass."""

from __future__ import annotations

import errno
import socket
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from api.errors import SkepError
from engine.adapters.conntrack import Conntrack, TrackedFlow, conntrack
from engine.adapters.host_links import explained
from engine.adapters.netns import enter_network, in_own_thread
from engine.core.dns import ADDRESS
from engine.core.stuck_flows import Suspects
from engine.ports.flows import Doomed

_NO_NAMESPACE = {errno.ENOENT, errno.EINVAL}  # EINVAL: a file, and no mount any more
_NET = Path("/proc/thread-self/net")
_COUNT = Path("/proc/sys/net/netfilter/nf_conntrack_count")
# As the kernel writes it: a number in the order of the machine.
_RESOLVER = f"{int.from_bytes(socket.inet_aton(ADDRESS), sys.byteorder):08X}"
_NAMESPACES_KEPT = 1024


@dataclass(slots=True)
class _Seen:
    """What was seen in a namespace: segments sent again, and streams that may be stuck."""

    sent_again: int = 0
    suspects: Suspects = field(default_factory=Suspects)


class KernelFlows:
    """Fulfils `TrackedFlows`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    async def forget(
        self,
        namespace_paths: Sequence[str],
        targets: Collection[str],
        doomed: Doomed,
        port: int = 0,
        *,
        by_sockets: bool = False,
    ) -> dict[str, SkepError]:
        """Have what comes next from flows to these addresses led anew, or refused."""

        def work() -> dict[str, SkepError]:
            failed: dict[str, SkepError] = {}
            with self._lock:
                for path in namespace_paths:
                    try:
                        self._forget(path, targets, doomed, port, by_sockets=by_sockets)
                    except SkepError as error:
                        failed[path] = error
            return failed

        return await in_own_thread(work)

    def _forget(
        self, path: str, targets: Collection[str], doomed: Doomed, port: int, *, by_sockets: bool
    ) -> None:
        with explained("forget flows"):
            try:
                enter_network(Path(path))
            except OSError as error:
                if error.errno in _NO_NAMESPACE:
                    self._seen.pop(path, None)
                    return  # who sent is gone, too
                raise
            if not _is_any_tracked():
                return
            seen = self._seen.pop(path, _Seen())
            self._seen[path] = seen
            while len(self._seen) > _NAMESPACES_KEPT:
                self._seen.popitem(last=False)
            if by_sockets:
                doomed &= _possible(seen)
            if not doomed:
                return
            only_datagrams = doomed is Doomed.DATAGRAMS
            with conntrack() as table:
                protocol = socket.IPPROTO_UDP if only_datagrams else 0
                _forget_some(table, [*table.flows(targets, port, protocol=protocol)], doomed, seen)


def _is_any_tracked() -> bool:
    with suppress(FileNotFoundError):
        return int(_COUNT.read_text()) > 0
    return False


def _possible(seen: _Seen) -> Doomed:
    """Return which flows there may be, as far as the namespace's sockets tell.

    A look at all flows takes the kernel as long as its table is large (9 ms where that has the
    usual size), whosever they are; one at the sockets for datagrams, or at the count of segments
    that were sent again, next to nothing.
    """
    found = Doomed(0)
    if _may_send_datagrams():
        found |= Doomed.DATAGRAMS
    before, seen.sent_again = seen.sent_again, _sent_again()
    if seen.suspects or seen.sent_again != before:
        found |= Doomed.BEGUN | Doomed.STUCK | Doomed.STREAMS
    return found


def _may_send_datagrams() -> bool:
    """Tell whether a socket for datagrams is open in the thread's namespace, but the resolver's."""
    for name in ("udp", "udp6"):
        with suppress(FileNotFoundError), (_NET / name).open() as listed:
            next(listed)
            if any(line.split()[1].partition(":")[0] != _RESOLVER for line in listed):
                return True
    return False


def _sent_again() -> int:
    """Return how many segments of TCP were sent again in the thread's namespace, ever."""
    names, values = (
        line.split() for line in (_NET / "snmp").read_text().splitlines() if line.startswith("Tcp:")
    )
    return int(values[names.index("RetransSegs")])


def _forget_some(
    table: Conntrack, flows: Sequence[TrackedFlow], doomed: Doomed, seen: _Seen
) -> None:
    now_s = time.monotonic()
    seen.suspects.forget_old(now_s)
    for flow in flows:
        if _is_doomed(flow, doomed, seen.suspects, now_s):
            table.forget(flow)
            seen.suspects.acquit(flow.begun)


def _is_doomed(flow: TrackedFlow, doomed: Doomed, suspects: Suspects, now_s: float) -> bool:
    if flow.protocol == socket.IPPROTO_UDP:
        return Doomed.DATAGRAMS in doomed
    if not flow.is_led:
        return False
    if Doomed.STREAMS in doomed or (Doomed.BEGUN in doomed and not flow.is_answered):
        return True
    return Doomed.STUCK in doomed and suspects.is_stuck(
        flow.begun, is_answered=flow.is_answered, unheard_s=flow.unheard_s, now_s=now_s
    )
