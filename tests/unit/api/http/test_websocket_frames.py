"""Frames of websockets, as the RFC's own examples have them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.websocket_frames import (
    Frame,
    FrameReader,
    Opcode,
    ProtocolError,
    accept_key,
    pack,
    pack_close,
    unmask,
)


def masked(first: int, payload: bytes, mask: bytes = b"\x37\xfa\x21\x3d") -> bytes:
    """Return a client's frame."""
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((first, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0x80 | 127)) + size.to_bytes(8, "big")
    return head + mask + unmask(payload, mask)


def test_the_key_is_answered_as_the_rfc_says() -> None:
    """Source: RFC 6455, section 1.3."""
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_the_rfc_s_masked_hello_is_read() -> None:
    """Source: RFC 6455, section 5.7."""
    found = FrameReader().feed(bytes.fromhex("818537fa213d7f9f4d5158"))

    assert found == [Frame(Opcode.TEXT, b"Hello")]


@pytest.mark.parametrize(
    ("size", "head"),
    [(5, "8205"), (256, "827e0100"), (65536, "827f0000000000010000")],
)
def test_the_server_s_frames_are_not_masked(size: int, head: str) -> None:
    """Source: RFC 6455, section 5.7: the three widths of a length."""
    assert pack(Opcode.BINARY, bytes(size)) == bytes.fromhex(head) + bytes(size)


@given(
    payloads=st.lists(st.binary(max_size=70_000), max_size=4),
    mask=st.binary(min_size=4, max_size=4),
    step=st.integers(1, 5000),
)
def test_frames_survive_any_cutting(payloads: list[bytes], mask: bytes, step: int) -> None:
    """TCP cuts where it likes."""
    stream = b"".join(masked(0x82, payload, mask) for payload in payloads)
    reader = FrameReader()

    found = [
        frame for at in range(0, len(stream), step) for frame in reader.feed(stream[at : at + step])
    ]

    assert [frame.payload for frame in found] == payloads


def test_control_frames_may_stand_between_fragments() -> None:
    """Source: RFC 6455, section 5.4."""
    stream = masked(0x01, b"a") + masked(0x89, b"?") + masked(0x80, b"b")

    found = [frame.opcode for frame in FrameReader().feed(stream)]

    assert found == [Opcode.TEXT, Opcode.PING, Opcode.CONTINUATION]


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (bytes.fromhex("810548656c6c6f"), 1002),  # not masked
        (masked(0xC2, b"x"), 1002),  # an extension's bit
        (masked(0x83, b"x"), 1002),  # an unknown kind
        (masked(0x89, bytes(126)), 1002),  # a long ping
        (masked(0x09, b"x"), 1002),  # a ping in parts
        (masked(0x80, b"x"), 1002),  # the rest of nothing
        (masked(0x02, b"x") + masked(0x82, b"x"), 1002),  # a new message inside another
        (b"\x82\xff" + (1 << 40).to_bytes(8, "big"), 1009),  # more than anybody keeps
    ],
)
def test_what_is_no_websocket_is_refused(stream: bytes, code: int) -> None:
    """With the status that the close frame shall carry."""
    with pytest.raises(ProtocolError) as refused:
        FrameReader().feed(stream)

    assert refused.value.code == code
    assert pack_close(code)[:2] == b"\x88\x02"
