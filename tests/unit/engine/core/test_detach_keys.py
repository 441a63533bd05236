"""Keys that leave a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidArgument
from engine.core.detach_keys import DetachFilter, parse_detach_keys


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", b"\x10\x11"), ("ctrl-p,ctrl-q", b"\x10\x11"), ("a,ctrl-@", b"a\0"), ("ctrl-[", b"\x1b")],
)
def test_sequences_have_their_bytes(text: str, expected: bytes) -> None:
    """Engine API, detachKeys."""
    assert parse_detach_keys(text) == expected


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-A1", "é", "ab", "a,,b", "ctrl-!"])
def test_unknown_keys_are_refused(text: str) -> None:
    """A sequence that can never be typed must not be taken silently."""
    with pytest.raises(InvalidArgument, match="Invalid detach keys"):
        parse_detach_keys(text)


def test_sequence_is_found_across_pieces_and_never_passed_on() -> None:
    """Each key arrives alone; the process must not see the first one."""
    detach = DetachFilter(b"\x10\x11")

    assert detach.feed(b"ls\x10") == (b"ls", False)
    assert detach.feed(b"\x11rest") == (b"", True)


def test_a_beginning_that_proves_to_be_none_is_passed_on() -> None:
    """ctrl-p alone is a shell's own key."""
    detach = DetachFilter(b"\x10\x11")

    assert detach.feed(b"\x10") == (b"", False)
    assert detach.feed(b"\x10a") == (b"\x10\x10a", False)


@given(st.lists(st.binary(max_size=5)), st.binary(min_size=1, max_size=3))
def test_nothing_is_lost_or_added(pieces: list[bytes], sequence: bytes) -> None:
    """What passes is the input up to the first sequence."""
    detach = DetachFilter(sequence)
    passed, found = b"", False
    for piece in pieces:
        if not found:
            more, found = detach.feed(piece)
            passed += more
    passed += detach.finish()
    typed = b"".join(pieces)

    assert found == (sequence in typed)
    assert passed == typed.split(sequence, 1)[0]
