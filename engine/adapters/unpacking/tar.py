"""Tar headers as entries: ustar, GNU and PAX with their long names, sparse files and xattrs.

Nothing in a tar is trusted: every number has a range, every extension a size limit. Names stay
bytes, as file systems have them.
Source:  POSIX.1-2008 pax, GNU tar manual "Basic Tar Format" and "Sparse Formats".
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False  # the modules typing and dataclasses cost a process 15 ms
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol
else:
    Protocol = object

BLOCK = 512
MAX_EXTENSION_BYTES = 1 << 20
MAX_SPARSE_REGIONS = 100_000

REGULAR, HARD_LINK, SYMLINK, CHAR, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"  # fmt: skip  # noqa: E501 one row of the standard's table
_SPARSE, _LONG_NAME, _LONG_LINK = b"S", b"L", b"K"
_PAX, _PAX_OLD, _PAX_GLOBAL, _VOLUME = b"x", b"X", b"g", b"V"
_DATALESS = frozenset((HARD_LINK, SYMLINK, CHAR, BLOCK_DEVICE, DIRECTORY, FIFO))

_HEADER = struct.Struct("100s8s8s8s12s12s8s1s100s6s2s32s32s8s8s155s12x")
_ZEROS = bytes(BLOCK)
_XATTR = b"SCHILY.xattr."
_MAX_SECONDS = 1 << 40
_MAX_ID = (1 << 32) - 2


class TarError(ValueError):
    """The tar is malformed, or asks for what must not be; the text says what."""


class Source(Protocol):
    """The uncompressed bytes of a tar, read once from front to back."""

    def read(self, count: int) -> bytes:
        """Return exactly so many bytes. Errors: TarError at a premature end."""

    def read_some(self, count: int) -> bytes:
        """Return so many bytes, or fewer at the end."""

    def skip(self, count: int) -> None:
        """Pass over so many bytes. Errors: TarError at a premature end."""

    def tell(self) -> int:
        """Return how many bytes were passed."""


class Entry:
    """One member. `size` is what follows in the tar, `real_size` the file's own.

    `regions` (offset, length) say where the bytes of a sparse file belong; None if not sparse.
    """

    __slots__ = (
        "device", "gid", "kind", "link", "mode", "mtime_ns", "name", "real_size", "regions",
        "size", "uid", "xattrs",
    )  # fmt: skip

    def __init__(
        self,
        *,
        name: bytes,
        kind: bytes,
        mode: int,
        uid: int,
        gid: int,
        size: int,
        mtime_ns: int,
        link: bytes,
        device: tuple[int, int],
    ) -> None:
        self.name = name
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.mtime_ns = mtime_ns
        self.link = link
        self.device = device
        self.xattrs: dict[bytes, bytes] = {}
        self.regions: list[tuple[int, int]] | None = None
        self.real_size = 0


def entries(source: Source) -> Iterator[Entry]:
    """Yield the members in order; the consumer may read an entry's data before the next step.

    Errors:  TarError.
    """
    extensions: dict[bytes, bytes] = {}
    while True:
        header = source.read_some(BLOCK)
        if not header or header == _ZEROS:
            return
        if len(header) < BLOCK:
            raise TarError("unexpected end of the tar")
        entry = _parse(header)
        if entry.kind in {_LONG_NAME, _LONG_LINK, _PAX, _PAX_OLD, _PAX_GLOBAL}:
            _extend(extensions, entry.kind, _payload(source, entry.size))
            continue
        if entry.kind == _VOLUME:
            extensions = {}
            source.skip(_padded(entry.size))
            continue
        start = source.tell()
        _finish(entry, extensions, header, source)
        extensions = {}
        end = start + _padded(entry.size + (source.tell() - start)) if entry.regions else (
            start + _padded(entry.size)
        )  # fmt: skip
        yield entry
        source.skip(end - source.tell())


def _parse(header: bytes) -> Entry:
    (name, mode, uid, gid, size, mtime, checksum, kind, link, magic, _version, _user, _group,
     major, minor, prefix) = _HEADER.unpack(header)  # fmt: skip
    total = sum(header) - sum(checksum) + 8 * 0x20
    if _number(checksum) != total:
        raise TarError("invalid tar header")
    name = name.partition(b"\0")[0]
    if magic == b"ustar\0" and prefix[0]:
        name = prefix.partition(b"\0")[0] + b"/" + name
    if kind in {b"\0", b"7"}:
        kind = REGULAR
    is_device = kind in {CHAR, BLOCK_DEVICE}
    return Entry(
        name=name,
        kind=kind,
        mode=_number(mode) & 0o7777,
        uid=_number(uid),
        gid=_number(gid),
        size=0 if kind in _DATALESS else _number(size),
        mtime_ns=_number(mtime) * 1_000_000_000,
        link=link.partition(b"\0")[0],
        device=(_number(major), _number(minor)) if is_device else (0, 0),
    )


def _number(text: bytes) -> int:
    if text and text[0] & 0x80:
        if text[0] & 0x40:
            return int.from_bytes(text, "big", signed=True)
        return int.from_bytes(bytes((text[0] & 0x7F,)) + text[1:], "big")
    digits = text.strip(b" \0")
    if not digits:
        return 0
    if not digits.isdigit():
        digits = digits.partition(b"\0")[0].strip(b" ")
    try:
        return int(digits, 8) if digits.isdigit() else _no_number(digits)
    except ValueError:
        return _no_number(digits)


def _no_number(text: bytes) -> int:
    raise TarError(f"invalid tar header: {text[:24]!r} is no number")


def _padded(size: int) -> int:
    return (size + BLOCK - 1) // BLOCK * BLOCK


def _payload(source: Source, size: int) -> bytes:
    if not 0 <= size <= MAX_EXTENSION_BYTES:
        raise TarError(f"tar extension header of {size} bytes: at most {MAX_EXTENSION_BYTES}")
    return source.read(_padded(size))[:size]


def _extend(extensions: dict[bytes, bytes], kind: bytes, payload: bytes) -> None:
    if kind == _LONG_NAME:
        extensions[b"path"] = payload.partition(b"\0")[0]
    elif kind == _LONG_LINK:
        extensions[b"linkpath"] = payload.partition(b"\0")[0]
    elif kind != _PAX_GLOBAL:
        extensions.update(_records(payload))


def _records(payload: bytes) -> dict[bytes, bytes]:
    """Return PAX records; the repeated sparse ones of format 0.0 become a map as in 0.1."""
    found: dict[bytes, bytes] = {}
    regions: list[bytes] = []
    at = 0
    while at < len(payload):
        space = payload.find(b" ", at, at + 10)
        digits = payload[at:space] if space > 0 else b""
        length = int(digits) if digits.isdigit() else 0
        end = at + length
        key, equals, value = payload[space + 1 : end - 1].partition(b"=")
        if length < 5 or end > len(payload) or payload[end - 1 : end] != b"\n" or not equals:
            raise TarError("invalid PAX record in the tar")
        if key in {b"GNU.sparse.offset", b"GNU.sparse.numbytes"}:
            regions.append(value)
        else:
            found[key] = value
        at = end
    if regions:
        found[b"GNU.sparse.map"] = b",".join(regions)
    return found


def _finish(entry: Entry, extensions: dict[bytes, bytes], header: bytes, source: Source) -> None:
    """Apply extensions, read a sparse map, and check every range."""
    if extensions:
        _override(entry, extensions)
    entry.real_size = entry.size
    if entry.kind == _SPARSE:
        entry.kind = REGULAR
        _old_sparse(entry, header, source)
    elif extensions and entry.kind == REGULAR and _is_sparse(extensions):
        _pax_sparse(entry, extensions, source)
    if entry.kind == REGULAR and entry.name.endswith(b"/"):
        entry.kind = DIRECTORY  # the oldest tars say it so; only the whole name tells
    if entry.size < 0 or entry.real_size < 0:
        raise TarError(f"negative size of {_shown(entry.name)}")
    if not (0 <= entry.uid <= _MAX_ID and 0 <= entry.gid <= _MAX_ID):
        raise TarError(f"owner of {_shown(entry.name)} is out of range")
    limit_ns = _MAX_SECONDS * 1_000_000_000
    entry.mtime_ns = max(-limit_ns, min(entry.mtime_ns, limit_ns))
    if b"\0" in entry.name or b"\0" in entry.link:
        raise TarError("a name in the tar holds a NUL")
    if entry.regions is not None:
        _check_regions(entry)


def _override(entry: Entry, extensions: dict[bytes, bytes]) -> None:
    """Let PAX records and GNU long names win over the header; an empty value is no value."""
    for key, value in extensions.items():
        if key.startswith(_XATTR):
            entry.xattrs[key[len(_XATTR) :]] = value
    given = {key: value for key, value in extensions.items() if value}
    entry.link = given.get(b"linkpath", entry.link)
    if b"size" in given and entry.kind not in _DATALESS:
        entry.size = _decimal(given[b"size"])
    if b"uid" in given:
        entry.uid = _decimal(given[b"uid"])
    if b"gid" in given:
        entry.gid = _decimal(given[b"gid"])
    if b"mtime" in given:
        entry.mtime_ns = _time(given[b"mtime"])
    name = given.get(b"GNU.sparse.name") or given.get(b"path")
    if name is not None:
        entry.name = name


def _decimal(text: bytes) -> int:
    if len(text) > 20 or not text.removeprefix(b"-").isdigit():
        raise TarError(f"invalid PAX record in the tar: {text[:24]!r} is no number")
    return int(text)


def _time(text: bytes) -> int:
    whole, _, fraction = text.partition(b".")
    if fraction and not fraction.isdigit():
        raise TarError(f"invalid PAX record in the tar: {text[:24]!r} is no time")
    part = int(fraction[:9].ljust(9, b"0") or b"0")
    seconds = _decimal(whole)
    return seconds * 1_000_000_000 + (-part if whole.startswith(b"-") else part)


def _is_sparse(extensions: dict[bytes, bytes]) -> bool:
    return b"GNU.sparse.map" in extensions or b"GNU.sparse.major" in extensions


def _old_sparse(entry: Entry, header: bytes, source: Source) -> None:
    """Read the regions of type S: four in the header, 21 in each block that follows."""
    regions: list[tuple[int, int]] = []
    entry.real_size = _number(header[483:495])
    more = _take_regions(regions, header[386:482]) and header[482] != 0
    while more:
        block = source.read(BLOCK)
        more = _take_regions(regions, block[:504]) and block[504] != 0
        if len(regions) > MAX_SPARSE_REGIONS:
            raise TarError("sparse file with too many regions")
    entry.regions = regions


def _take_regions(regions: list[tuple[int, int]], table: bytes) -> bool:
    for at in range(0, len(table), 24):
        if not table[at]:
            return False
        regions.append((_number(table[at : at + 12]), _number(table[at + 12 : at + 24])))
    return True


def _pax_sparse(entry: Entry, extensions: dict[bytes, bytes], source: Source) -> None:
    """Read the regions of the formats 0.0 and 0.1 (in records) and 1.0 (before the data)."""
    real = extensions.get(b"GNU.sparse.realsize") or extensions.get(b"GNU.sparse.size")
    if real is None:
        raise TarError("sparse file without a size")
    entry.real_size = _decimal(real)
    if b"GNU.sparse.major" in extensions and extensions[b"GNU.sparse.major"] != b"0":
        begin = source.tell()
        numbers = _sparse_numbers(source)
        entry.size -= source.tell() - begin
    else:
        text = extensions.get(b"GNU.sparse.map", b"")
        numbers = [_decimal(each) for each in text.split(b",")] if text else []
    if len(numbers) % 2 or len(numbers) > 2 * MAX_SPARSE_REGIONS:
        raise TarError("invalid map of a sparse file")
    entry.regions = list(zip(numbers[::2], numbers[1::2], strict=True))


def _sparse_numbers(source: Source) -> list[int]:
    """Read decimal lines: a count, then offset and length of each region, in whole blocks."""
    text = b""
    wanted = 1
    while (lines := text.count(b"\n")) < wanted:
        text += source.read(BLOCK)
        if len(text) > MAX_EXTENSION_BYTES:
            raise TarError("sparse file with too many regions")
        if lines == 0 and b"\n" in text:
            count = _decimal(text.partition(b"\n")[0])
            if not 0 <= count <= MAX_SPARSE_REGIONS:
                raise TarError("sparse file with too many regions")
            wanted = 1 + 2 * count
    return [_decimal(line) for line in text.split(b"\n")[1:wanted]]


def _check_regions(entry: Entry) -> None:
    at = total = 0
    for offset, length in entry.regions or ():
        if offset < at or length < 0:
            raise TarError("regions of a sparse file overlap")
        at = offset + length
        total += length
    if at > entry.real_size or total != entry.size:
        raise TarError("regions of a sparse file do not fit its size")


def _shown(name: bytes) -> str:
    return name[:200].decode(errors="replace")
