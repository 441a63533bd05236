"""Connections taken over: nothing lost at the seam, half-closing kept, leavers noticed."""

from __future__ import annotations

import asyncio

import pytest

from tests.api.sample import RAW, Sample
from tests.api.served import Client, shut_write

_UPGRADE = b"Connection: Upgrade\r\nUpgrade: tcp\r\n"
_BODY = b'{"Names":["a","b"]}'
_JSON = b"Content-Type: application/json\r\n"
_SIZED = _JSON + b"Content-Length: 19\r\n\r\n" + _BODY
_CHUNKED = _JSON + b"Transfer-Encoding: chunked\r\n\r\n13\r\n" + _BODY + b"\r\n0\r\n\r\n"


def _post(path: bytes, rest: bytes = b"\r\n") -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n" + rest


async def _head(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        return await reader.readuntil(b"\r\n\r\n")


async def test_upgrade_is_answered_with_101(client: Client) -> None:
    reader, writer = await client.open()

    writer.write(_post(b"/echo", _UPGRADE + b"\r\n"))
    head = await _head(reader)

    assert head.startswith(b"HTTP/1.1 101 UPGRADED\r\n")
    assert f"Content-Type: {RAW}\r\n".encode() in head
    assert b"Connection: Upgrade\r\nUpgrade: tcp\r\n" in head
    writer.close()


async def test_client_that_asks_for_no_upgrade_gets_200_and_raw_bytes(client: Client) -> None:
    reader, writer = await client.open()

    writer.write(_post(b"/echo") + b"hello")
    shut_write_after = await _head(reader)
    shut_write(writer)

    assert shut_write_after.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"helloend" == await reader.read()
    writer.close()


@pytest.mark.parametrize("rest", [_SIZED, _CHUNKED], ids=["sized", "chunked"])
@pytest.mark.parametrize("upgrade", [_UPGRADE, b""], ids=["upgrade", "plain"])
async def test_body_is_read_and_the_bytes_behind_it_kept(
    client: Client, upgrade: bytes, rest: bytes
) -> None:
    """`docker exec` sends its JSON in the upgrading request; what is typed may follow at once."""
    reader, writer = await client.open()

    writer.write(_post(b"/echo", upgrade + rest) + b"early")
    await writer.drain()
    shut_write(writer)
    await _head(reader)

    assert b"abearlyend" == await reader.read()
    writer.close()


async def test_hundred_megabytes_pass_both_ways_after_half_close(client: Client) -> None:
    reader, writer = await client.open()
    writer.write(_post(b"/echo", _UPGRADE + b"\r\n"))
    await _head(reader)
    block = bytes(range(256)) * 1024

    async def send() -> None:
        for _ in range(400):
            writer.write(block)
            await writer.drain()
        shut_write(writer)

    sending = asyncio.ensure_future(send())
    received = 0
    last = b""
    while data := await reader.read(1 << 20):
        received += len(data)
        last = (last + data)[-3:]
    await sending

    assert 400 * len(block) + 3 == received
    assert b"end" == last
    writer.close()


@pytest.mark.parametrize("half_closed_before", [False, True])
async def test_leaving_is_noticed_without_a_word(
    client: Client, sample: Sample, *, half_closed_before: bool
) -> None:
    reader, writer = await client.open()
    writer.write(_post(b"/idle", _UPGRADE + b"\r\n"))
    await _head(reader)
    if half_closed_before:
        shut_write(writer)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await sample.gone.wait()

    writer.close()

    async with asyncio.timeout(5):
        await sample.gone.wait()


async def test_client_that_vanishes_in_the_stream_leaves_the_server_well(client: Client) -> None:
    reader, writer = await client.open()
    writer.write(_post(b"/echo", _UPGRADE + b"\r\n") + b"x" * 1_000_000)
    await _head(reader)

    writer.transport.abort()

    assert 200 == (await client.request("GET", "/version")).status


async def test_bytes_behind_a_refused_upgrade_are_no_request(client: Client) -> None:
    """A refused hijack must not leave a connection to reuse (CVE-2018-1002105)."""
    reader, writer = await client.open()
    smuggled = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"

    writer.write(_post(b"/nowhere", _UPGRADE + b"\r\n") + smuggled)
    replies = await reader.read()

    assert b"404 Not Found" in replies
    assert b"200 OK" not in replies
    writer.close()


async def test_unknown_upgrade_is_served_as_plain_http(client: Client) -> None:
    reader, writer = await client.open()
    writer.write(
        b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    )

    assert b"[1,56]" in await reader.read()
    writer.close()
