"""The first contact of a joining node with real managers, and with whatever else may answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from api.swarm_errors import FingerprintMismatch, InvalidJoinToken
from protos.identity.certificates import to_der, to_pem
from protos.identity.errors import BadCertificate, ManagerUnreachable
from protos.identity.join import join_authority
from protos.identity.root import fetch_root
from protos.identity.tokens import new_join_token
from protos.identity.trust import Trust
from tests.authority import DAY, Authority
from tests.rpc.door import MANAGER, Door, opened


@pytest_asyncio.fixture
async def door() -> AsyncIterator[Door]:
    """Lend a guarded server."""
    async with opened() as lent:
        yield lent


async def test_root_of_the_token_is_learnt(door: Door) -> None:
    assert to_pem(door.root.certificate) == await fetch_root(door.address, door.token)


async def test_token_of_another_root_is_a_mismatch(door: Door) -> None:
    foreign = new_join_token(to_der(Authority().certificate))

    with pytest.raises(FingerprintMismatch):
        await fetch_root(door.address, foreign)


async def test_unknown_secret_is_an_invalid_token(door: Door) -> None:
    guessed = new_join_token(to_der(door.root.certificate))

    with pytest.raises(InvalidJoinToken):
        await fetch_root(door.address, guessed)


async def test_rotated_token_is_an_invalid_token(door: Door) -> None:
    """A replay after the rotation."""
    root = door.root.certificate
    assert await fetch_root(door.address, door.token)

    door.change(Trust((root,), (join_authority(new_join_token(to_der(root))),)))

    with pytest.raises(InvalidJoinToken):
        await fetch_root(door.address, door.token)


async def test_new_root_is_learnt_while_the_old_one_is_still_trusted(door: Door) -> None:
    new = Authority("next")
    token = new_join_token(to_der(new.certificate))
    both = Trust((door.root.certificate, new.certificate), (join_authority(token),))

    door.change(both, new.issue(MANAGER).credentials(*both.roots))

    assert to_pem(new.certificate) == await fetch_root(door.address, token)


async def test_nobody_there_is_said(door: Door, unused_tcp_port: int) -> None:
    with pytest.raises(ManagerUnreachable, match="refused"):
        await fetch_root(f"127.0.0.1:{unused_tcp_port}", door.token)


@pytest.mark.parametrize("address", ["127.0.0.1", "", "127.0.0.1:http"])
async def test_address_without_a_port_is_said(door: Door, address: str) -> None:
    with pytest.raises(ManagerUnreachable, match="no port"):
        await fetch_root(address, door.token)


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-x\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 999])
async def test_something_else_at_the_port_is_said(door: Door, greeting: bytes) -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

        with pytest.raises(ManagerUnreachable):
            await fetch_root(address, door.token)


async def test_silence_ends_at_the_time_limit(door: Door) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(mute, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

        with pytest.raises(ManagerUnreachable, match=r"within 0\.2 s"):
            await fetch_root(address, door.token, timeout_s=0.2)


async def test_clock_outside_the_roots_days_is_said() -> None:
    async with opened(Authority(starts_in=DAY)) as door:
        with pytest.raises(BadCertificate, match="set the clock"):
            await fetch_root(door.address, door.token)


async def test_older_tls_is_refused(door: Door) -> None:
    host, _, port = door.address.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")

    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(host, int(port), ssl=context)
