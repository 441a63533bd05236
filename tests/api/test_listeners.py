"""Where the API listens, and who may connect."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api.http.app import fixed_headers
from api.http.listeners import (
    Access,
    Address,
    CannotListen,
    TcpAddress,
    TlsFiles,
    UnixAddress,
    listen,
)
from api.http.server import ApiServer
from tests.api.sample import Sample
from tests.api.served import parse_reply
from tests.certificates import make_certificates

_needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


@asynccontextmanager
async def _served(addresses: Sequence[Address], access: Access) -> AsyncIterator[int]:
    """Serve the sample; give the port of the last listener."""
    listeners = listen(addresses, access)
    server = ApiServer(Sample().app, listeners, fixed_headers("0"))
    await server.start()
    try:
        yield listeners[-1].socket.getsockname()[1]
    finally:
        await server.stop(0.1)


async def _get(port: int, headers: str, tls: ssl.SSLContext | None = None) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    writer.write(f"GET /version HTTP/1.1\r\nConnection: close\r\n{headers}\r\n".encode())
    reply = parse_reply(await reader.read())
    writer.close()
    return reply.status, reply.body


def test_socket_is_for_owner_and_group(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "api.sock"

    (listener,) = listen([UnixAddress(path)], Access())

    assert 0o660 == stat.S_IMODE(path.stat().st_mode)
    listener.socket.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_socket_is_given_to_the_group(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"

    (listener,) = listen([UnixAddress(path)], Access(group="12345"))

    assert 12345 == path.stat().st_gid
    listener.socket.close()


def test_unknown_group_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"

    with pytest.raises(CannotListen, match="no such group: nobody-has-this"):
        listen([UnixAddress(path)], Access(group="nobody-has-this"))

    assert not path.exists()


def test_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))

    (listener,) = listen([UnixAddress(path)], Access())

    listener.socket.close()


def test_living_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(path))
        living.listen()

        with pytest.raises(CannotListen, match="another process listens there"):
            listen([UnixAddress(path)], Access())

        assert path.exists()


def test_file_in_the_place_of_a_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    path.write_text("precious")

    with pytest.raises(CannotListen, match="a file of another kind"):
        listen([UnixAddress(path)], Access())

    assert "precious" == path.read_text()


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::"])
def test_plain_tcp_beyond_this_machine_is_refused(host: str) -> None:
    with pytest.raises(CannotListen, match="without TLS"):
        listen([TcpAddress(host, 0)], Access())


def test_failure_leaves_no_other_address_bound(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"

    with pytest.raises(CannotListen):
        listen([UnixAddress(path), TcpAddress("0.0.0.0", 0)], Access())

    assert not path.exists()


async def test_plain_tcp_is_served_on_loopback() -> None:
    async with _served([TcpAddress("127.0.0.1", 0)], Access()) as port:
        assert (200, b"[1,56]\n") == await _get(port, f"Host: 127.0.0.1:{port}\r\n")


@pytest.mark.parametrize(
    "headers",
    [
        "Host: rebound.example.com\r\n",
        "Host: rebound.example.com:2375\r\n",
        "Host: localhost\r\nOrigin: http://example.com\r\n",
        "Host: localhost\r\nOrigin: null\r\n",
    ],
)
async def test_web_pages_may_not_use_tcp(headers: str) -> None:
    """A page whose name is bound anew to this address would be root here."""
    async with _served([TcpAddress("127.0.0.1", 0)], Access()) as port:
        assert 403 == (await _get(port, headers))[0]


@pytest.mark.parametrize("host", ["localhost:2375", "[::1]:2375", "10.0.0.1", "docker:2375"])
async def test_own_names_may_use_tcp(host: str) -> None:
    async with _served([TcpAddress("127.0.0.1", 0)], Access()) as port:
        assert 200 == (await _get(port, f"Host: {host}\r\n"))[0]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lend a directory with an authority, a server's and a client's certificate."""
    return make_certificates(tmp_path_factory.mktemp("tls"))


def _access(certificates: Path, *, verify: bool) -> Access:
    files = TlsFiles(
        certificates / "server.pem",
        certificates / "server-key.pem",
        certificates / "ca.pem",
        verify,
    )
    return Access(tls=files)


@_needs_openssl
async def test_client_with_a_certificate_is_served_over_tls(certificates: Path) -> None:
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "client.pem", certificates / "client-key.pem")

    access = _access(certificates, verify=True)
    async with _served([TcpAddress("127.0.0.1", 0)], access) as port:
        assert 200 == (await _get(port, "Host: node.example.com\r\n", context))[0]


@_needs_openssl
async def test_client_without_a_certificate_is_turned_away(certificates: Path) -> None:
    context = ssl.create_default_context(cafile=certificates / "ca.pem")

    access = _access(certificates, verify=True)
    async with _served([TcpAddress("127.0.0.1", 0)], access) as port:
        with pytest.raises((ssl.SSLError, ConnectionError, IndexError, ValueError)):
            await _get(port, "Host: x\r\n", context)


@_needs_openssl
async def test_plain_client_of_a_tls_port_is_turned_away(certificates: Path) -> None:
    access = _access(certificates, verify=False)
    async with _served([TcpAddress("127.0.0.1", 0)], access) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")

        try:
            received = await reader.read()
        except ConnectionResetError:
            received = b""

        assert b"200" not in received
        writer.close()


@_needs_openssl
def test_missing_certificate_is_named(certificates: Path) -> None:
    files = TlsFiles(
        certificates / "absent.pem", certificates / "server-key.pem", None, verify=False
    )

    with pytest.raises(CannotListen, match=r"absent\.pem"):
        listen([TcpAddress("127.0.0.1", 0)], Access(tls=files))
