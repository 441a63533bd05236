"""A resolver asked from where its container is, by way of the namespace's rules."""

from __future__ import annotations

import socket
from pathlib import Path

from engine.adapters.host_links import explained
from engine.adapters.netns import enter_network
from engine.core.dns import ADDRESS
from engine.core.dns_message import is_answer_to, pack_status_question

_TIMEOUT_S = 2.0
_PORT = 53
_NUMBER = 4711


def unanswered(namespace: Path) -> list[str]:
    """Return over which of UDP and TCP nobody answers in a namespace. Errors: Internal."""
    with explained("enter a sandbox"):
        enter_network(namespace)
    question = pack_status_question(_NUMBER)
    ways = {"UDP": _over_udp, "TCP": _over_tcp}
    return [way for way, ask in ways.items() if not is_answer_to(ask(question), question)]


def _over_udp(question: bytes) -> bytes:
    """Return the reply, b"" for none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(_TIMEOUT_S)
        try:
            client.connect((ADDRESS, _PORT))
            client.send(question)
            return client.recv(1 << 16)
        except OSError:
            return b""


def _over_tcp(question: bytes) -> bytes:
    """Return the reply, b"" for none."""
    try:
        with socket.create_connection((ADDRESS, _PORT), _TIMEOUT_S) as client:
            client.sendall(len(question).to_bytes(2) + question)
            length = int.from_bytes(client.recv(2, socket.MSG_WAITALL))
            return client.recv(length, socket.MSG_WAITALL)
    except OSError:
        return b""
