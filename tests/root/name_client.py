"""Questions asked from inside a network namespace, and a server outside that answers them."""

from __future__ import annotations

import secrets
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.adapters.netns import enter_network
from engine.core.dns_message import A, pack_answer, parse_query

RESOLVER = "127.0.0.11", 53


def question(name: str, kind: int = A) -> bytes:
    """Return a question as a client sends it."""
    labels = b"".join(bytes([len(each)]) + each.encode() for each in name.split("."))
    head = struct.pack("!6H", 4711, 0x0100, 1, 0, 0, 0)
    return head + labels + b"\0" + struct.pack("!HH", kind, 1)


def ask_inside(namespace: str, *packets: bytes, tcp: bool = False) -> list[bytes]:
    """Send packets to the resolver of a namespace; return the answers, b"" for none in time."""
    answers: list[bytes] = []

    def work() -> None:
        enter_network(Path(namespace))
        kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
        with socket.socket(socket.AF_INET, kind) as client:
            client.settimeout(5)
            client.connect(RESOLVER)
            for packet in packets:
                client.sendall(len(packet).to_bytes(2) + packet if tcp else packet)
                answers.append(_receive(client, tcp=tcp))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    return answers


def addresses_inside(namespace: str, name: str) -> list[str]:
    """Return the IPv4 addresses that the resolver of a namespace knows, in the order told."""
    (reply,) = ask_inside(namespace, question(name))
    count = struct.unpack_from("!H", reply, 6)[0]
    # Each record of this kind ends in its length and the address, and has 16 bytes in all.
    ends = (len(reply) - 16 * (count - 1 - number) for number in range(count))
    return [socket.inet_ntoa(reply[end - 4 : end]) for end in ends]


def send_inside(namespace: str, *packets: bytes) -> None:
    """Send packets to the resolver of a namespace, and wait for no answer."""

    def work() -> None:
        enter_network(Path(namespace))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for packet in packets:
                client.sendto(packet, RESOLVER)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)


def _receive(client: socket.socket, *, tcp: bool) -> bytes:
    with suppress(OSError):
        if not tcp:
            return client.recv(65535)
        length = int.from_bytes(client.recv(2, socket.MSG_WAITALL))
        return client.recv(length, socket.MSG_WAITALL)
    return b""


class _Outside:
    def __init__(self, address: str) -> None:
        self.address = address
        self.asked: list[str] = []

    def reply(self, packet: bytes, *, tcp: bool) -> bytes:
        """Answer 192.0.2.1 to all; to names that begin with "big" many, which only TCP carries."""
        query = parse_query(packet)
        assert query is not None
        self.asked.append(query.name)
        many = 60 if query.name.startswith("big") else 1
        addresses = [f"192.0.2.{number}" for number in range(1, many + 1)]
        return pack_answer(query, addresses, limit=65535 if tcp else 512)


def unused_address() -> str:
    """Return a loopback address on which nobody serves names."""
    return f"127.53.{secrets.randbelow(250) + 1}.{secrets.randbelow(250) + 1}"


@contextmanager
def outside_server() -> Iterator[_Outside]:
    """Serve names at port 53 of a loopback address of the host's, over UDP and TCP."""
    address = unused_address()
    state = _Outside(address)

    class Datagram(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            packet, server = self.request
            server.sendto(state.reply(packet, tcp=False), self.client_address)

    class Stream(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            length = int.from_bytes(self.rfile.read(2))
            reply = state.reply(self.rfile.read(length), tcp=True)
            self.wfile.write(len(reply).to_bytes(2) + reply)

    servers = (
        socketserver.ThreadingUDPServer((address, 53), Datagram),
        socketserver.ThreadingTCPServer((address, 53), Stream),
    )
    threads = [threading.Thread(target=each.serve_forever, args=(0.02,)) for each in servers]
    for thread in threads:
        thread.start()
    try:
        yield state
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
