"""The process that unpacks one layer: `python -I -S worker.py DIRECTORY OVER_LOWER IDS PATH HASH`.

Stdin is the blob, a regular file. OVER_LOWER and HASH are 0 or 1: whether the layer lies over
others, and whether the uncompressed digest is to be found (it is known of a plain blob). IDS is
the text of the maps that owners go through, "" for none. PATH is where zstandard is installed, ""
if it is not. On stdout come JSON lines: {"read": bytes of the blob} now and then,
and at the end {"diff_id": hex or "", "size": bytes} or {"error": text, "kind": "invalid", "space",
"unsupported" or "io"}. It leaves its host's file system behind before it reads the first byte.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.adapters.unpacking.source import PlainFile, Stream
    from engine.adapters.unpacking.tree import Tree

_PROGRESS_BYTES = 8 << 20
_MEMORY_BYTES = 1 << 30
_INVALID = frozenset((
    errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.EINVAL, errno.EFBIG,
    errno.ENOENT, errno.EEXIST, errno.EMLINK, errno.ENOTEMPTY, errno.EILSEQ, errno.EOVERFLOW,
))  # fmt: skip
_SPACE = frozenset((errno.ENOSPC, errno.EDQUOT))


def say(**words: object) -> None:
    """Write one line to the daemon; without a daemon there is nothing left to do."""
    try:
        os.write(1, json.dumps(words).encode() + b"\n")
    except BrokenPipeError:
        os._exit(1)


def main() -> None:
    """Unpack and tell the outcome."""
    directory, over_lower, ids, zstd_path, with_hash = sys.argv[1:]
    sys.path.insert(0, __file__.removesuffix("/engine/adapters/unpacking/worker.py"))
    from engine.adapters.unpacking import source as sources  # noqa: PLC0415 the path was just set
    from engine.adapters.unpacking import tree  # noqa: PLC0415 loaded before the root changes
    from engine.adapters.unpacking.tar import TarError  # noqa: PLC0415 the path was just set
    from engine.core.id_maps import IdMaps  # noqa: PLC0415 the path was just set

    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    head = os.pread(0, 6, 0)
    kind = sources.compression(head)
    digest = None
    if with_hash == "1":
        import hashlib  # noqa: PLC0415 costs 5 ms, and plain layers need none

        digest = hashlib.sha256()
    sources.load_decompressor(kind, zstd_path)
    os.chroot(directory)
    os.chdir("/")
    os.umask(0)
    try:
        source: sources.PlainFile | sources.Stream
        if digest is None and head:
            source = sources.PlainFile(0)
        else:
            source = sources.Stream(sources.decompressed(_Blob().read), digest)
        target = tree.Tree(source, over_lower=over_lower == "1", ids=IdMaps.from_text(ids))
        _unpack(source, target, tells=digest is None)
    except TarError as error:
        say(error=str(error), kind="invalid")
    except MemoryError:
        say(error="the layer needs too much memory to unpack", kind="invalid")
    except OSError as error:
        say(error=_words(error), kind=_kind(error))
    else:
        say(diff_id=digest.hexdigest() if digest else "", size=target.size)


class _Blob:
    """Stdin, telling how far it was read."""

    def __init__(self) -> None:
        self._told = 0

    def read(self, count: int) -> bytes:
        """Return some bytes, b"" at the end."""
        chunk = os.read(0, count)
        self._told += len(chunk)
        if self._told % _PROGRESS_BYTES < len(chunk):
            say(read=self._told)
        return chunk


def _unpack(source: PlainFile | Stream, target: Tree, *, tells: bool) -> None:
    """Apply all entries. `tells` reports progress here."""
    from engine.adapters.unpacking import tar  # noqa: PLC0415 loaded by main before chroot

    told_at = _PROGRESS_BYTES
    for entry in tar.entries(source):
        target.apply(entry)
        if tells and source.tell() >= told_at:
            told_at = source.tell() + _PROGRESS_BYTES
            say(read=source.tell())
    target.finish()
    source.drain()


def _kind(error: OSError) -> str:
    if error.errno in _SPACE:
        return "space"
    if error.errno in {errno.EPERM, errno.ENOSYS, errno.ENOTSUP}:
        return "unsupported"
    return "invalid" if error.errno in _INVALID else "io"


def _words(error: OSError) -> str:
    name = error.filename
    if isinstance(name, bytes):
        name = name[:200].decode(errors="replace")
    text = error.strerror or str(error)
    return f"{name}: {text}" if name else text


if __name__ == "__main__":
    main()
