"""Streams that are answered, uploads that are read: at the pace of the slower side."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.api.sample import Sample
from tests.api.served import Client, parse_reply, serve, shut_write

_CHUNK = b"x" * 65536
_UPLOAD = b"POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_stream_starts_at_once_and_ends_with_the_client(
    client: Client, sample: Sample
) -> None:
    reader, writer = await client.open()
    writer.write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"first\n")

    writer.close()

    async with asyncio.timeout(5):
        await sample.closed.wait()


async def test_broken_stream_is_cut_rather_than_ended(client: Client) -> None:
    """A last chunk would make half an answer look whole."""
    reader, writer = await client.open()
    writer.write(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")

    try:
        received = await reader.read()
    except ConnectionResetError:
        received = b""

    assert not received.endswith(b"0\r\n\r\n")
    writer.close()


async def test_stop_ends_endless_streams(
    sample: Sample, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(sample.app, tmp_path / "api.sock") as client:
        reader, writer = await client.open()
        writer.write(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"first\n")

    assert sample.closed.is_set()
    assert not caplog.records
    writer.close()


async def test_upload_waits_for_a_slow_reader(client: Client, sample: Sample) -> None:
    reader, writer = await client.open()
    writer.write(_UPLOAD)
    sent = 0
    try:
        while sent < 1 << 30:
            writer.write(b"10000\r\n" + _CHUNK + b"\r\n")
            sent += len(_CHUNK)
            async with asyncio.timeout(0.5):
                await writer.drain()
    except TimeoutError:
        pass
    held_back = sent

    sample.resume.set()
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readline()

    assert held_back < 8 << 20
    assert b"200 OK" in head
    assert sent == int(body)
    writer.close()


async def test_requests_in_one_segment_are_answered_in_order(client: Client) -> None:
    reader, writer = await client.open()
    one = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
    other = b"GET /v1.40/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    writer.write(one + other)
    replies = await reader.read()

    assert replies.index(b"[1,56]") < replies.index(b"[1,40]")
    writer.close()


async def test_request_behind_a_chunked_body_is_answered(client: Client, sample: Sample) -> None:
    sample.resume.set()
    reader, writer = await client.open()
    after = b"GET /v1.40/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    writer.write(_UPLOAD + b"5\r\nhello\r\n0\r\n\r\n" + after)
    replies = await reader.read()

    assert replies.index(b"\n5") < replies.index(b"[1,40]")
    writer.close()


async def test_request_in_single_bytes_is_answered(client: Client) -> None:
    reader, writer = await client.open()

    for byte in b"POST /maybe HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + (
        b'Connection: close\r\nContent-Length: 15\r\n\r\n{"Names":["a"]}'
    ):
        writer.write(bytes([byte]))
        await writer.drain()
    reply = parse_reply(await reader.read())

    assert ["a"] == reply.json()["Names"]
    writer.close()


async def test_client_that_ends_its_sending_gets_its_answer(client: Client) -> None:
    reader, writer = await client.open()
    writer.write(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
    await writer.drain()
    shut_write(writer)

    reply = await reader.read()

    assert b"[1,56]" in reply
    writer.close()
