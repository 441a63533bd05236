"""Write a tar: ustar headers, PAX records only where a header is too small for the truth.

The same tree gives the same bytes: whole seconds, no names of users, numbers in fixed width.
Source:  POSIX.1-2008 pax; SCHILY.xattr records as every container tool reads them.
"""

from __future__ import annotations

import os
import struct

BLOCK = 512
REGULAR, HARD_LINK, SYMLINK, CHAR, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"  # fmt: skip  # noqa: E501 one row of the standard's table

_HEADER = struct.Struct("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x")
_NO_SUM = b" " * 8
_MAX_ID = 0o7777777
_MAX_SIZE = 0o77777777777
_NAME_BYTES = 100
_BUFFER = 256 << 10


class Member:
    """What a header says of one entry; times in seconds since the epoch."""

    __slots__ = (
        "device", "gid", "kind", "link", "mode", "mtime_s", "name", "size", "uid", "xattrs",
    )  # fmt: skip

    def __init__(self, name: bytes, kind: bytes, found: os.stat_result) -> None:
        self.name = name
        self.kind = kind
        self.mode = found.st_mode & 0o7777
        self.uid = found.st_uid
        self.gid = found.st_gid
        self.mtime_s = found.st_mtime_ns // 1_000_000_000
        self.size = 0
        self.link = b""
        self.device = (0, 0)
        self.xattrs: dict[str, bytes] = {}


def header(member: Member) -> bytes:
    """Return the blocks that stand before a member's content."""
    records = b""
    name, link = member.name, member.link
    if len(name) > _NAME_BYTES:
        records += _record(b"path", name)
    if len(link) > _NAME_BYTES:
        records += _record(b"linkpath", link)
    records += _numbers(member)
    for key, value in member.xattrs.items():
        records += _record(b"SCHILY.xattr." + os.fsencode(key), value)
    packed = _pack(member, name, link)
    if not records:
        return packed
    about = _pack_extension(len(records))
    return about + records + bytes(-len(records) % BLOCK) + packed


def _numbers(member: Member) -> bytes:
    records = b""
    if member.uid > _MAX_ID:
        records += _record(b"uid", b"%d" % member.uid)
    if member.gid > _MAX_ID:
        records += _record(b"gid", b"%d" % member.gid)
    if member.size > _MAX_SIZE:
        records += _record(b"size", b"%d" % member.size)
    if not 0 <= member.mtime_s <= _MAX_SIZE:
        records += _record(b"mtime", b"%d" % member.mtime_s)
    return records


def _pack(member: Member, name: bytes, link: bytes) -> bytes:
    major, minor = member.device
    return _summed(
        _HEADER.pack(
            name[:_NAME_BYTES],
            b"%07o" % member.mode,
            b"%07o" % (member.uid if member.uid <= _MAX_ID else 0),
            b"%07o" % (member.gid if member.gid <= _MAX_ID else 0),
            b"%011o" % (member.size if member.size <= _MAX_SIZE else 0),
            b"%011o" % (member.mtime_s if 0 <= member.mtime_s <= _MAX_SIZE else 0),
            _NO_SUM,
            member.kind,
            link[:_NAME_BYTES],
            b"ustar\x0000",
            b"",
            b"",
            b"%07o" % major,
            b"%07o" % minor,
            b"",
        )
    )


def _pack_extension(size: int) -> bytes:
    return _summed(
        _HEADER.pack(
            b"PaxHeaders.0/more", b"%07o" % 0o644, b"%07o" % 0, b"%07o" % 0, b"%011o" % size,
            b"%011o" % 0, _NO_SUM, b"x", b"", b"ustar\x0000", b"", b"", b"%07o" % 0, b"%07o" % 0,
            b"",
        )
    )  # fmt: skip


def _summed(packed: bytes) -> bytes:
    return packed[:148] + b"%06o\0 " % sum(packed) + packed[156:]


def _record(key: bytes, value: bytes) -> bytes:
    """Return a PAX record, which begins with its own length in decimal."""
    bare = len(key) + len(value) + 3
    length = bare + len(str(bare))
    length = bare + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


class TooMuch(Exception):
    """What is to be written does not fit in memory."""


class TarOutput:
    """Writes members to a descriptor; small things gather, large files go straight through."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = bytearray()

    def add(self, member: Member) -> None:
        """Write a member that has no content, or whose content follows."""
        self._buffer += header(member)
        if len(self._buffer) >= _BUFFER:
            self.flush()

    def add_file(self, member: Member, descriptor: int) -> None:
        """Write a member with the content of an open file: `member.size` bytes, whatever happens.

        A file that shrinks meanwhile is filled with zeros, one that grows is cut.
        """
        self.add(member)
        size = member.size
        if size <= _BUFFER:
            content = os.read(descriptor, size) if size else b""
            while len(content) < size and (more := os.read(descriptor, size - len(content))):
                content += more
            self._buffer += content + bytes(size - len(content) + (-size % BLOCK))
        else:
            self.flush()
            self._send(descriptor, size)
            self._buffer += bytes(-size % BLOCK)
        if len(self._buffer) >= _BUFFER:
            self.flush()

    def finish(self) -> None:
        """Write the end of the tar."""
        self._buffer += bytes(2 * BLOCK)
        self.flush()

    def flush(self) -> None:
        """Write what has gathered."""
        view = memoryview(self._buffer)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self._buffer = bytearray()

    def _send(self, descriptor: int, size: int) -> None:
        sent = 0
        while sent < size:
            try:
                count = os.sendfile(self._descriptor, descriptor, sent, min(size - sent, 1 << 30))
            except BrokenPipeError:
                raise
            except OSError:
                count = self._copy(descriptor, sent, size - sent)
            if count == 0:
                self._fill(size - sent)
                return
            sent += count

    def _copy(self, descriptor: int, offset: int, limit: int) -> int:
        """Copy some through memory, for file systems whose files cannot be spliced."""
        content = memoryview(os.pread(descriptor, min(limit, 1 << 20), offset))
        count = len(content)
        while content:
            content = content[os.write(self._descriptor, content) :]
        return count

    def _fill(self, size: int) -> None:
        zeros = bytes(min(size, 1 << 20))
        while size:
            size -= os.write(self._descriptor, zeros[: min(size, len(zeros))])


class SmallOutput(TarOutput):
    """Keeps a small tar in memory; `TooMuch` beyond the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(-1)
        self._limit = limit
        self._written = bytearray()

    def add_file(self, member: Member, descriptor: int) -> None:
        """Write a member with its content, unless it is too large."""
        if len(self._written) + member.size > self._limit:
            raise TooMuch
        super().add_file(member, descriptor)

    def flush(self) -> None:
        """Keep what has gathered."""
        self._written += self._buffer
        self._buffer = bytearray()
        if len(self._written) > self._limit:
            raise TooMuch

    def content(self) -> bytes:
        """Return the whole tar."""
        self.finish()
        return bytes(self._written)
