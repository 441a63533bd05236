"""What passes on the cable of a network namespace, and whether its kernel can encrypt that."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.adapters.esp import KernelEsp
from tests.root.frame_kinds import kind_of
from tests.root.overlay_bed import in_namespace

LACK = asyncio.run(KernelEsp("skep-esp").lacks(4))
needs_esp = pytest.mark.skipif(bool(LACK), reason=f"{LACK}; make test-vm runs it")
needs_no_esp = pytest.mark.skipif(not LACK, reason="this kernel has IPsec ESP")

_ETH_ALL = 3


@contextmanager
def seen_on_cable(place: Path) -> Iterator[list[str]]:
    """Collect what passes there, each frame by its name (`kind_of`)."""

    def tap() -> socket.socket:
        # Of no protocol until it is bound: else it hears all interfaces until then.
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        made.bind(("eth0", _ETH_ALL))
        made.settimeout(0.2)
        return made

    seen: list[str] = []
    over = threading.Event()

    def listen(cable: socket.socket) -> None:
        while not over.is_set():
            try:
                frame = cable.recv(1 << 16)
            except TimeoutError:
                continue
            seen.append(kind_of(frame))

    with in_namespace(place, tap) as cable:
        thread = threading.Thread(target=listen, args=(cable,), daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            over.set()
            thread.join(5)
