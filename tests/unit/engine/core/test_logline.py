"""What a client reads of a log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from api.frames import FrameDecoder, Stream
from api.types.logs import LogPosition
from engine.core.log_pieces import LONGEST_LINE_BYTES
from engine.core.logline import LogQuery, LogRenderer
from engine.core.timestamps import format_utc, parse_moment

STAMP = b"2024-01-01T00:00:00.000000000"
LATER = b"2024-01-01T00:00:01.000000000"


def record(text: bytes, kind: bytes = b"stdout F", stamp: bytes = STAMP) -> bytes:
    """Return one record as the monitor writes it."""
    return stamp + b"+00:00 " + kind + b" " + text + b"\n"


def render(query: LogQuery, log: bytes, cuts: Iterable[int] = ()) -> bytes:
    """Render a log that arrives cut at the given places."""
    renderer = LogRenderer(query)
    edges = sorted({0, len(log), *(min(cut, len(log)) for cut in cuts)})
    pieces = [log[a:b] for a, b in pairwise(edges)]
    return b"".join(renderer.feed(piece) for piece in pieces)


def frames(wire: bytes) -> list[tuple[Stream, bytes]]:
    """Decode a multiplexed stream."""
    return list(FrameDecoder().feed(wire))


def test_each_line_is_one_frame_of_its_stream() -> None:
    """Clients that read by frame (docker-py's stream=True) get lines."""
    log = record(b"one") + record(b"two", b"stderr F") + record(b"")

    rendered = frames(render(LogQuery(), log))

    assert rendered == [
        (Stream.STDOUT, b"one\n"),
        (Stream.STDERR, b"two\n"),
        (Stream.STDOUT, b"\n"),
    ]


def test_pieces_carry_no_newline_until_the_line_ends() -> None:
    """The monitor cuts long lines and unfinished ones (a prompt); the text must come back whole."""
    log = record(b"ab", b"stdout P") + record(b"X", b"stderr F") + record(b"c")

    rendered = frames(render(LogQuery(), log))

    assert rendered == [(Stream.STDOUT, b"ab"), (Stream.STDERR, b"X\n"), (Stream.STDOUT, b"c\n")]


def test_with_details_pieces_of_a_line_come_together() -> None:
    """`docker service logs` fails with `invalid details format` at a frame that has none."""
    log = record(b"ab", b"stdout P") + record(b"X", b"stderr F") + record(b"c") + record(b"d")
    unended = record(b"> ", b"stdout P", LATER)
    renderer = LogRenderer(LogQuery(timestamps=True, details=b"app=x "))

    rendered = frames(b"".join(renderer.feed(log[at : at + 9]) for at in range(0, len(log), 9)))
    held = renderer.feed(unended), renderer.position

    assert rendered == [
        (Stream.STDERR, STAMP + b"Z app=x X\n"),
        (Stream.STDOUT, STAMP + b"Z app=x abc\n"),
        (Stream.STDOUT, STAMP + b"Z app=x d\n"),
    ]
    assert held == (b"", LogPosition(parse_moment(f"{STAMP.decode()}Z"), 3))
    assert frames(renderer.rest()) == [(Stream.STDOUT, LATER + b"Z app=x > \n")]


def test_with_details_a_line_without_end_comes_in_parts() -> None:
    """Nobody holds more of it in memory."""
    log = record(b"y" * 8000, b"stdout P") * 40
    renderer = LogRenderer(LogQuery(details=b"app=x "))

    first, rest = frames(renderer.feed(log)), frames(renderer.rest())

    assert [len(text) > LONGEST_LINE_BYTES for _, text in first] == [True]
    assert all(text.startswith(b"app=x y") for _, text in [*first, *rest])
    assert 40 * 8000 == sum(text.count(b"y") for _, text in [*first, *rest])


def test_a_terminals_log_is_sent_without_frames() -> None:
    """With a tty the client writes bytes to its terminal as they come (api 1.24)."""
    log = record(b"$ ", b"stdout P") + record(b"ls\r")

    assert render(LogQuery(raw=True), log) == b"$ ls\r\n"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (LogQuery(stderr=False), [(Stream.STDOUT, b"o\n")]),
        (LogQuery(stdout=False), [(Stream.STDERR, b"e\n")]),
    ],
)
def test_streams_not_asked_for_are_left_out(
    query: LogQuery, expected: list[tuple[Stream, bytes]]
) -> None:
    """`docker logs 2>/dev/null` of a client that asks for one stream."""
    log = record(b"o") + record(b"e", b"stderr F")

    assert frames(render(query, log)) == expected


def test_timestamps_are_utc_with_nine_digits_once_per_line() -> None:
    """RFC3339Nano of fixed width, as Docker's clients parse it; pieces get no second one."""
    late = b"2024-01-01T02:30:00.000000001+02:30 stdout F other zone\n"
    log = record(b"a", b"stdout P") + record(b"b") + late

    rendered = render(LogQuery(timestamps=True, raw=True), log)

    assert rendered == (
        b"2024-01-01T00:00:00.000000000Z ab\n2024-01-01T00:00:00.000000001Z other zone\n"
    )


def test_details_stand_between_time_and_text() -> None:
    """`docker logs --details -t`."""
    query = LogQuery(timestamps=True, raw=True, details=b"app=x ")

    assert render(query, record(b"text")) == STAMP + b"Z app=x text\n"


def _numbered(seconds: Iterable[int]) -> bytes:
    return b"".join(
        record(b"%d" % second, stamp=b"2024-01-01T00:00:%02d.000000000" % second)
        for second in seconds
    )


def test_since_and_until_are_inclusive() -> None:
    """A line at exactly the moment belongs to both sides."""
    since = parse_moment("2024-01-01T00:00:03Z")
    until = parse_moment("2024-01-01T00:00:05Z")
    query = LogQuery(since_ns=since, until_ns=until, raw=True)

    assert render(query, _numbered(range(10))) == b"3\n4\n5\n"


@given(st.lists(st.integers(0, 1000), max_size=6))
def test_range_does_not_depend_on_the_blocks(cuts: list[int]) -> None:
    """Blocks wholly inside the range take a short cut that must not change the answer."""
    since = parse_moment("2024-01-01T00:00:03Z")
    until = parse_moment("2024-01-01T00:00:15Z")
    query = LogQuery(since_ns=since, until_ns=until, raw=True)

    rendered = render(query, _numbered(range(20)), cuts)

    assert rendered == b"".join(b"%d\n" % second for second in range(3, 16))


@given(
    st.lists(st.integers(0, 4), max_size=30),
    st.lists(st.integers(0, 2000), max_size=6),
    st.lists(st.integers(0, 2000), max_size=6),
    st.integers(0, 6),
    st.booleans(),
)
def test_what_is_read_on_from_a_position_is_just_what_is_left(
    moments: list[int], cuts: list[int], later_cuts: list[int], blocks: int, timestamps: bool
) -> None:
    """Also where many lines bear one moment, as those that were written together do."""
    log = _numbered(sorted(moments))
    query = LogQuery(raw=not timestamps, timestamps=timestamps)
    renderer = LogRenderer(query)
    sent = b"".join(renderer.feed(block) for block in [*_cut(log, cuts)][:blocks])
    position = renderer.position
    if position is not None:
        query = replace(query, since_ns=position.moment_ns, skip=position.count)
    else:
        assert b"" == sent

    assert render(LogQuery(raw=not timestamps, timestamps=timestamps), log) == sent + render(
        query, log, later_cuts
    )


def _cut(log: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({min(each, len(log)) for each in cuts})
    for start, end in zip([0, *places], [*places, len(log)], strict=True):
        yield log[start:end]


def test_reading_ends_at_the_first_line_after_until() -> None:
    """A follower with `until` in the past must not go on reading for ever."""
    renderer = LogRenderer(LogQuery(until_ns=parse_moment("2024-01-01T00:00:01Z")))

    renderer.feed(_numbered([0, 1, 2]))

    assert renderer.finished
    assert renderer.feed(_numbered([0])) == b""


def test_garbage_is_left_out_and_the_rest_is_read() -> None:
    """A power cut may leave a torn record in the middle of the log."""
    log = record(b"one") + b"\0\0\0garbage\n" + b"\n" + record(b"two")

    assert frames(render(LogQuery(), log)) == [(Stream.STDOUT, b"one\n"), (Stream.STDOUT, b"two\n")]


def test_stamped_frames_hold_what_they_say() -> None:
    """Blocks of whole lines take a short cut; one with a piece does not."""
    plain = record(b"a") + record(b"bc", b"stderr F")
    query = LogQuery(timestamps=True)

    assert frames(render(query, plain)) == [
        (Stream.STDOUT, STAMP + b"Z a\n"),
        (Stream.STDERR, STAMP + b"Z bc\n"),
    ]
    assert frames(render(query, record(b"x", b"stdout P") + plain)) == [
        (Stream.STDOUT, STAMP + b"Z x"),
        (Stream.STDOUT, b"a\n"),
        (Stream.STDERR, STAMP + b"Z bc\n"),
    ]


TEXT = st.binary(max_size=60).map(lambda text: text.replace(b"\n", b""))
RECORDS = st.lists(
    st.tuples(st.sampled_from([b"stdout F", b"stderr F", b"stdout P", b"stderr P"]), TEXT)
)


@given(RECORDS, st.lists(st.integers(0, 3000), max_size=8), st.booleans())
def test_every_byte_of_each_stream_comes_back(
    records: list[tuple[bytes, bytes]],
    cuts: list[int],
    plain: bool,
) -> None:
    """Any bytes, any cutting, by block or line by line: the streams are what the process wrote."""
    log = b"".join(record(text, kind) for kind, text in records)
    query = LogQuery() if plain else LogQuery(since_ns=1, until_ns=2**62)
    expected = {
        stream: b"".join(
            text + (b"\n" if kind.endswith(b"F") else b"")
            for kind, text in records
            if kind.startswith(word)
        )
        for stream, word in ((Stream.STDOUT, b"stdout"), (Stream.STDERR, b"stderr"))
    }

    decoded = frames(render(query, log, cuts))

    for stream in (Stream.STDOUT, Stream.STDERR):
        assert b"".join(text for of, text in decoded if of == stream) == expected[stream]


@given(st.integers(-(2**55), 2**62))
def test_stamps_sort_as_time_does(moment_ns: int) -> None:
    """Comparing moments as text is only right while their texts have one width."""
    text = format_utc(moment_ns)

    assert len(text) == 29
    assert parse_moment(text) == moment_ns
