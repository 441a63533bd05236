"""The log that the monitor writes, and what a client reads of it.

Shape of a record:  `2024-01-01T00:00:00.000000000+00:00 stdout F text` and a newline: 35 bytes
                    of time, a space, the stream, a space, F or P, a space, text of any bytes but
                    newlines. P is a piece of a line that goes on in the stream's next record.
Source:             Kubernetes' CRI log format; conmon's `k8s-file`.

Reading must keep up with disks, so blocks are rendered as a whole wherever nothing in them asks
for a decision line by line.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from api.errors import InvalidArgument
from api.frames import HEADER, Stream
from api.types.logs import LogPosition
from engine.core.log_pieces import PieceJoiner
from engine.core.timestamps import format_utc, parse_moment

STAMP_BYTES = 29
PREFIX_BYTES = 45
LONGEST_RECORD_BYTES = 1 << 20

_ZONE = slice(29, 35)
_KIND = slice(36, 45)
_ZONE_KIND = slice(29, 45)
_UTC = b"+00:00"
_STAMP_END = b"Z "
_WHOLE = {b"stdout F ": Stream.STDOUT, b"stderr F ": Stream.STDERR}
_PIECE = {b"stdout P ": Stream.STDOUT, b"stderr P ": Stream.STDERR}


class LogQuery(Struct, frozen=True, kw_only=True):
    """What a client asks of a log; moments are nanoseconds since the epoch, 0 means none.

    `tail` is a number of lines, None means all. `raw` sends text alone, without frames.
    `details` is put before each line as it is, and lines come whole then. `skip` records of the
    moment `since_ns` itself are passed over.
    """

    stdout: bool = True
    stderr: bool = True
    since_ns: int = 0
    until_ns: int = 0
    timestamps: bool = False
    tail: int | None = None
    raw: bool = False
    details: bytes = b""
    skip: int = 0


class _Headers(dict[int, bytes]):
    """Frame headers by the length of the record (without its newline)."""

    def __init__(self, stream: Stream, lead_bytes: int = 0) -> None:
        super().__init__()
        self._stream = stream
        self._rest_bytes = PREFIX_BYTES - lead_bytes - 1

    def __missing__(self, record_bytes: int) -> bytes:
        header = HEADER.pack(self._stream, record_bytes - self._rest_bytes)
        self[record_bytes] = header
        return header


class LogRenderer:
    """Turns blocks of one log, in order and cut anywhere, into what the client reads.

    `finished` tells that a record later than `until` was met: nothing more will come.
    """

    def __init__(self, query: LogQuery) -> None:
        self.finished = False
        self._query = query
        self._wanted = {
            stream
            for stream, wanted in ((Stream.STDOUT, query.stdout), (Stream.STDERR, query.stderr))
            if wanted
        }
        self._since = format_utc(query.since_ns).encode() if query.since_ns else b""
        self._until = format_utc(query.until_ns).encode() if query.until_ns else b""
        self._skip = query.skip
        self._last = b""
        self._last_count = 0
        self._carry = b""
        self._midline = {Stream.STDOUT: False, Stream.STDERR: False}
        self._headers = {kind: _Headers(stream) for kind, stream in _WHOLE.items()}
        self._stamped_headers = {
            _UTC + b" " + kind: _Headers(stream, STAMP_BYTES + len(_STAMP_END))
            for kind, stream in _WHOLE.items()
        }
        self._joiner = PieceJoiner() if query.details and not query.raw else None
        self._by_block = self._block_renderer()

    def feed(self, block: bytes) -> bytes:
        """Return what the records of a block come to; an unfinished record waits for the next.

        Records that are no records (a crash of the machine cut them) are left out.
        """
        if self.finished:
            return b""
        if self._joiner is not None:
            block = self._joiner.feed(block)
        records = (self._carry + block if self._carry else block).split(b"\n")
        self._carry = records.pop()
        if len(self._carry) > LONGEST_RECORD_BYTES:
            self._carry = b""
        if not records:
            return b""
        self._note(records)
        if self._by_block is not None and self._wholly_inside(records[0], records[-1]):
            rendered = self._by_block(records)
            if rendered is not None:
                return rendered
        return self._one_by_one(records)

    def rest(self) -> bytes:
        """Return what was held back of a line that never ended, when nothing more will come."""
        if self._joiner is None:
            return b""
        rest, self._joiner = self._joiner.rest(), None
        return self.feed(rest)

    @property
    def position(self) -> LogPosition | None:
        """How far the log was read; None where nothing was, or its last record is none."""
        try:
            moment_ns = parse_moment(self._last.decode("ascii", "replace"))
        except InvalidArgument:
            return None
        return LogPosition(moment_ns, self._last_count)

    def _note(self, records: list[bytes]) -> None:
        """Note the last record's moment, and how many records in a row have it."""
        last = records[-1][: _ZONE.stop]
        count = 0
        for record in reversed(records):
            if not record.startswith(last):
                break
            count += 1
        is_same = count == len(records) and last == self._last
        self._last, self._last_count = last, count + (self._last_count if is_same else 0)

    def _block_renderer(self) -> Callable[[list[bytes]], bytes | None] | None:
        query = self._query
        if query.details or len(self._wanted) < 2:
            return None
        if query.timestamps:
            return None if query.raw else self._stamped_block
        return self._raw_block if query.raw else self._framed_block

    def _wholly_inside(self, first: bytes, last: bytes) -> bool:
        if not self._since and not self._until:
            return True
        if self._skip:
            return False
        inside = first[_ZONE] == last[_ZONE] == _UTC and first[:STAMP_BYTES] >= self._since
        return inside and (not self._until or last[:STAMP_BYTES] <= self._until)

    def _framed_block(self, records: list[bytes]) -> bytes | None:
        headers = self._headers
        try:
            frames = [
                headers[record[_KIND]][len(record)] + record[PREFIX_BYTES:] for record in records
            ]
        except KeyError:
            return None  # a piece of a line, or no record: these need a look one by one
        if any(self._midline.values()):
            self._midline = dict.fromkeys(self._midline, False)
        frames.append(b"")
        return b"\n".join(frames)

    def _stamped_block(self, records: list[bytes]) -> bytes | None:
        if any(self._midline.values()):
            return None
        headers = self._stamped_headers
        try:
            frames = [
                headers[record[_ZONE_KIND]][len(record)]
                + record[:STAMP_BYTES]
                + _STAMP_END
                + record[PREFIX_BYTES:]
                for record in records
            ]
        except KeyError:
            return None
        frames.append(b"")
        return b"\n".join(frames)

    def _raw_block(self, records: list[bytes]) -> bytes | None:
        if any(record[_KIND] not in _WHOLE for record in records):
            return None
        texts = [record[PREFIX_BYTES:] for record in records]
        texts.append(b"")
        return b"\n".join(texts)

    def _one_by_one(self, records: list[bytes]) -> bytes:
        parts: list[bytes] = []
        for record in records:
            kind = record[_KIND]
            stream = _WHOLE.get(kind)
            whole = stream is not None
            if stream is None:
                stream = _PIECE.get(kind)
            if stream is None:
                continue
            midline, self._midline[stream] = self._midline[stream], not whole
            if self._skip and self._is_skipped(record):
                continue
            if stream not in self._wanted:
                continue
            if not self._is_in_time(record):
                if self.finished:
                    break
                continue
            text = record[PREFIX_BYTES:] + b"\n" if whole else record[PREFIX_BYTES:]
            if not midline:
                text = self._lead(record) + text
            if not self._query.raw:
                parts.append(HEADER.pack(stream, len(text)))
            parts.append(text)
        return b"".join(parts)

    def _is_skipped(self, record: bytes) -> bool:
        """Tell whether a record is one of those of the first moment that are passed over."""
        stamp = record_stamp(record)
        if stamp != self._since:
            self._skip = self._skip if stamp < self._since else 0
            return False
        self._skip -= 1
        return True

    def _is_in_time(self, record: bytes) -> bool:
        if not self._since and not self._until:
            return True
        stamp = record_stamp(record)
        if self._until and stamp > self._until:
            self.finished = True
            return False
        return stamp >= self._since

    def _lead(self, record: bytes) -> bytes:
        if self._query.timestamps:
            return record_stamp(record) + _STAMP_END + self._query.details
        return self._query.details


def record_stamp(record: bytes) -> bytes:
    """Return the time of a record as `format_utc` writes it, whatever zone it was written in."""
    if record[_ZONE] == _UTC:
        return record[:STAMP_BYTES]
    try:
        moment_ns = parse_moment(record[: _ZONE.stop].decode("ascii", "replace"))
    except InvalidArgument:
        return record[:STAMP_BYTES]
    return format_utc(moment_ns).encode()
