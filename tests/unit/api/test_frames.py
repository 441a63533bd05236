"""The multiplexed stream."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidArgument
from api.frames import FrameDecoder, Stream, pack_frame

FRAMES = st.lists(st.tuples(st.sampled_from(Stream), st.binary(max_size=200)), max_size=8)


def test_header_is_stream_number_padding_and_big_endian_length() -> None:
    """The shape that every client decodes (Engine API, stream format)."""
    assert pack_frame(Stream.STDERR, b"abc") == b"\x02\0\0\0\0\0\0\x03abc"


@given(FRAMES, st.lists(st.integers(0, 400), max_size=10))
def test_frames_survive_any_cutting(frames: list[tuple[Stream, bytes]], cuts: list[int]) -> None:
    """A connection may deliver frames in pieces of any size."""
    wire = b"".join(pack_frame(stream, payload) for stream, payload in frames)
    edges = sorted({0, len(wire), *(min(cut, len(wire)) for cut in cuts)})
    decoder = FrameDecoder()

    decoded = [frame for start, end in pairwise(edges) for frame in decoder.feed(wire[start:end])]

    assert decoded == frames
    assert decoder.pending == 0


def test_empty_payload_is_a_frame() -> None:
    """A frame without payload is legal and must not stall the decoder."""
    assert list(FrameDecoder().feed(pack_frame(1, b""))) == [(Stream.STDOUT, b"")]


@pytest.mark.parametrize("wire", [b"\x04\0\0\0\0\0\0\0", b"HTTP/1.1 500", b"\x01\0\x01\0\0\0\0\0"])
def test_header_that_is_none_is_refused(wire: bytes) -> None:
    """Bytes that are no stream (an error page, a raw terminal) are told apart at once."""
    with pytest.raises(InvalidArgument):
        list(FrameDecoder().feed(wire))
