"""Finding the last lines of a log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import log_tail
from engine.core.log_tail import tail_offset

PREFIX = b"2024-01-01T00:00:00.000000000+00:00 stdout "


def tail(log: bytes, lines: int) -> tuple[bytes, int]:
    """Return (what remains, lines found)."""
    offset, found = tail_offset(lambda at, length: log[at : at + length], len(log), lines)
    return log[offset:], found


def whole(text: bytes) -> bytes:
    """Return a record that ends a line."""
    return PREFIX + b"F " + text + b"\n"


def piece(text: bytes) -> bytes:
    """Return a record whose line goes on."""
    return PREFIX + b"P " + text + b"\n"


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "BLOCK_BYTES", 64)


@given(st.lists(st.binary(max_size=150).map(lambda b: b.replace(b"\n", b""))), st.integers(0, 12))
def test_the_last_lines_are_those(texts: list[bytes], lines: int) -> None:
    """Whatever the lengths of lines and blocks."""
    records = [whole(text) for text in texts]

    remaining, found = tail(b"".join(records), lines)

    assert remaining == b"".join(records[-lines:] if lines else [])
    assert found == min(lines, len(records))


def test_a_line_of_many_records_counts_once() -> None:
    """The monitor cuts a line longer than its buffer."""
    last = piece(b"x" * 100) + piece(b"y" * 100) + whole(b"z")

    assert tail(whole(b"first") + last, 1) == (last, 1)


def test_a_line_that_a_newer_file_ends_was_counted_there() -> None:
    """A rotation may fall into a long line: its pieces come along, and count no more."""
    begun = piece(b"x" * 100) + piece(b"y" * 100)
    log = whole(b"first") + whole(b"second") + begun

    offset, found = tail_offset(lambda at, n: log[at : at + n], len(log), 0, goes_on=True)
    assert (begun, 0) == (log[offset:], found)
    offset, found = tail_offset(lambda at, n: log[at : at + n], len(log), 1, goes_on=True)
    assert (whole(b"second") + begun, 1) == (log[offset:], found)


def test_an_unended_line_at_the_end_counts() -> None:
    """A prompt waits without newline: `logs --tail 1` shows it."""
    prompt = piece(b"Password") + piece(b": ")

    assert tail(whole(b"first") + prompt, 1) == (prompt, 1)


def test_a_record_being_written_is_not_counted() -> None:
    """The reader comes while the monitor writes."""
    assert tail(whole(b"a") + whole(b"b") + PREFIX, 1) == (whole(b"b") + PREFIX, 1)


def test_fewer_lines_than_asked_say_so() -> None:
    """The rest is then taken from the file that was rotated before."""
    assert tail(whole(b"a"), 5) == (whole(b"a"), 1)
