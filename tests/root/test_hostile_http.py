"""Requests that no client of good faith sends; after each the daemon is as well as before.

Rows 7, 10, 23, 27 and 32 of docs/security.md.
"""

from __future__ import annotations

import json
import resource
import socket

import pytest

from tests.root.health import UnixConnection, connect, exchange, resident_bytes, unharmed
from tests.root.node import Node

_CREATE = b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
_NOPE = b'10\r\n{"Image":"nope"}\r\n0\r\n\r\n'
_PING = b"GET /_ping HTTP/1.1\r\nHost: x\r\n"

SMUGGLED = {
    "length zero and chunks": _CREATE
    + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"
    + _NOPE,
    "length and chunks": _CREATE
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    + _NOPE,
    "two lengths": _CREATE + b"Content-Length: 5\r\nContent-Length: 16\r\n\r\n{}",
    "negative length": _CREATE + b"Content-Length: -5\r\n\r\n",
    "length beyond 64 bits": _CREATE + b"Content-Length: 99999999999999999999\r\n\r\n",
    "unknown encoding": _CREATE + b"Transfer-Encoding: xchunked\r\n\r\n" + _NOPE,
    "space before the colon": _CREATE + b"Transfer-Encoding : chunked\r\n\r\n" + _NOPE,
    "folded header": _PING + b"A: b\r\n c\r\n\r\n",
    "zero byte in a header": _PING + b"A: b\0c\r\n\r\n",
    "chunk beyond 64 bits": _CREATE
    + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx\r\n",
    "negative chunk": _CREATE + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n",
    "preface of http 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    "unknown method": b"BREW /_ping HTTP/1.1\r\nHost: x\r\n\r\n",
    "unknown version": b"GET /_ping HTTP/3.1\r\nHost: x\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("request_name", SMUGGLED)
def test_what_two_readers_might_read_differently_is_no_request(
    daemon: Node, request_name: str
) -> None:
    """One 400, and the connection ends: nothing behind it becomes a second request."""
    answer = exchange(daemon, SMUGGLED[request_name] + _PING + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert 1 == answer.count(b"HTTP/1.1 ")


def test_upgrade_to_http_2_is_not_taken(daemon: Node) -> None:
    answer = exchange(
        daemon,
        _PING + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n" + _PING + b"\r\n",
    )

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert 1 == answer.count(b"HTTP/1.1 ")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("//_ping", 200),
        ("/v1.44//_ping", 200),
        ("/v1.44/v1.44/_ping", 404),
        ("/v1.44/../_ping", 404),
        ("/containers/%2e%2e/_ping", 404),
        ("/containers/a%2fb/json", 404),
        ("/containers/%00/json", 404),
        ("/_ping;a=b", 404),
        ("/v1.44;x/_ping", 404),
        ("/_PING", 404),
        ("/v1.99/_ping", 400),
        ("/images/..%2f..%2fetc/json", 400),
        ("/volumes/..%2f..%2fetc", 404),
        ("/networks/..%2f..%2fetc", 404),
        ("/containers/" + "a" * 5000 + "/json", 404),
        ("/containers/json?limit=" + "9" * 5000, 400),
        ("/containers/json?limit=1e309", 400),
        ("/containers/json?filters=" + "%7B%22a%22:" * 3000, 400),
        ("/events?until=1&since=99999999999999999999", 400),
    ],
)
def test_paths_mean_one_thing(daemon: Node, target: str, status: int) -> None:
    """What a filter before the daemon reads as another path is not found here."""
    answer = exchange(
        daemon, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )

    assert f"HTTP/1.1 {status} " == answer[:13].decode()


def test_no_header_changes_the_method(daemon: Node) -> None:
    answer = exchange(
        daemon,
        b"POST /containers/json HTTP/1.1\r\nHost: x\r\nX-HTTP-Method-Override: GET\r\n"
        b"Content-Length: 0\r\nConnection: close\r\n\r\n",
    )

    assert b"HTTP/1.1 404 " == answer[:13]


def _create(node: Node, content: bytes, query: str = "") -> tuple[int, str]:
    connection = UnixConnection(node)
    connection.request(
        "POST", f"/containers/create{query}", content, {"Content-Type": "application/json"}
    )
    answer = connection.getresponse()
    message = json.loads(answer.read()).get("message", "")
    connection.close()
    return answer.status, message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"Image":"busybox","Image":"other"}', "duplicate key"),
        (b'{"Image":"busybox","HostConfig":{"Privileged":false,"Privileged":true}}', "duplicate"),
        (b'{"Image":"busybox"} {"Image":"busybox"}', "trailing characters"),
        (b'{"Image":"busybox","image":"other"}', "duplicate key"),
        (b'{"Image":"busybox","X":' + b"[" * 10**6 + b"]" * 10**6 + b"}", "max depth"),
        (b'{"Image":"busybox","HostConfig":{"Memory":NaN}}', "malformed"),
        (b'{"Image":"busybox","HostConfig":{"Memory":1e309}}', "out of range"),
        (b'{"Image":"busybox","HostConfig":{"Memory":' + b"9" * 10**5 + b"}}", "out of range"),
        (b'{"Image":"busybox","HostConfig":{"CpusetCpus":"0-4294967295"}}', "for cpuset cpus"),
        (b'{"Image":"busybox","Cmd":["a\\u0000b"]}', "zero byte"),
        (b'{"Image":"busybox","WorkingDir":"../../etc"}', "absolute path"),
        (b'{"Image":"../../etc"}', "invalid reference format"),
        (b'{"Image":"\xff"}', "invalid JSON"),
        (b'{"Image":"\\ud800"}', "invalid JSON"),
        (b"[]", "invalid JSON"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_a_body_is_one_plain_object(daemon: Node, content: bytes, words: str) -> None:
    status, message = _create(daemon, content)

    assert 400 == status
    assert words in message
    assert "" == daemon.docker("ps", "-aq").stdout


@pytest.mark.parametrize(
    "name", ["..%2f..%2fx", "-x", "a%0ab", "a%00b", "%D0%B0", "a" * 5000 + "/"]
)
def test_a_name_is_no_path(daemon: Node, name: str) -> None:
    status, message = _create(daemon, b'{"Image":"busybox"}', f"?name={name}")

    assert 400 == status
    assert "Invalid container name" in message


def test_a_hundred_thousand_labels_are_carried(daemon: Node) -> None:
    labels = {f"label-{number}": "v" for number in range(10**5)}

    with unharmed(daemon):
        status, _ = _create(daemon, json.dumps({"Image": "busybox", "Labels": labels}).encode())

        assert 201 == status
        assert "label-99999" in daemon.docker("ps", "-a", "--format", "{{.Labels}}").stdout


@pytest.mark.parametrize("chunked", [False, True])
def test_a_gigabyte_of_json_is_refused_early(daemon: Node, chunked: bool) -> None:
    """Refused by its length, or after the limit; it takes no memory, nor long to be dropped."""
    with unharmed(daemon):
        before = resident_bytes(daemon)
        with connect(daemon) as connection:
            length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 1073741824"
            connection.sendall(_CREATE + length + b"\r\n\r\n")
            piece = b"x" * (1 << 20)
            frame = b"100000\r\n" + piece + b"\r\n" if chunked else piece
            sent = 0
            try:
                while sent < 1 << 30:
                    connection.sendall(frame)
                    sent += len(piece)
            except OSError:
                pass
            answer = connection.recv(4096)

        assert answer.startswith(b"HTTP/1.1 413 ")
        assert sent < 64 << 20
        assert resident_bytes(daemon) - before < 32 << 20


def test_a_thousand_silent_connections_keep_nobody_out(daemon: Node) -> None:
    """Half say nothing, half begin a request and stop: others are served meanwhile."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limit[1]), limit[1]))
    silent: list[socket.socket] = []
    try:
        with unharmed(daemon):
            for number in range(1000):
                silent.append(connect(daemon))
                if number % 2:
                    silent[-1].sendall(b"POST /containers/create HTTP/1.1\r\nHost: x\r\nA")

            assert "well\n" == daemon.docker("run", "--rm", "busybox", "echo", "well").stdout

            for connection in silent:
                connection.close()
    finally:
        for connection in silent:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
