"""What passes on the cable of a network namespace, and whether its kernel can encrypt that."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.adapters.esp import KernelEsp
from tests.root.overlay_bed import in_namespace

LACK = asyncio.run(KernelEsp("skep-esp").lacks(4))
needs_esp = pytest.mark.skipif(bool(LACK), reason=f"{LACK}; make test-vm runs it")
needs_no_esp = pytest.mark.skipif(not LACK, reason="this kernel has IPsec ESP")

_ETH_ALL = 3
_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"
_UDP, _ESP = 17, 50
_TUNNELS = 4789


@contextmanager
def seen_on_cable(place: Path) -> Iterator[list[str]]:
    """Collect what passes there over IP: `esp`, `vxlan` and its id, or `other`."""

    def tap() -> socket.socket:
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_ALL))
        made.bind(("eth0", 0))
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
            if frame[12:14] == _IPV4:
                seen.append(_kind(frame[23], frame[14 + (frame[14] & 15) * 4 :]))
            elif frame[12:14] == _IPV6:
                seen.append(_kind(frame[20], frame[54:]))

    with in_namespace(place, tap) as cable:
        thread = threading.Thread(target=listen, args=(cable,), daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            over.set()
            thread.join(5)


def _kind(protocol: int, rest: bytes) -> str:
    if protocol == _ESP:
        return "esp"
    if protocol == _UDP and struct.unpack_from(">H", rest, 2)[0] == _TUNNELS:
        return f"vxlan {int.from_bytes(rest[12:15])}"
    return "other"
