"""The process that reads or writes one tree: `python -I -S start.py VERB ROOT ...`.

VERB and what follows it:
  pack IDS ROOT PATH NAME             the tar of one path on stdout, its entries beginning with NAME
  tree IDS ROOT                       the tar of the whole tree on stdout
  place IDS ROOT PATH KEEP OWNER ZSTD put the tar on stdin into PATH; OWNER is uid:gid or ""
  changes PLACEHOLDERS UPPER LOWER... changes on stdout: kind, path, NUL
  layer IDS PLACEHOLDERS UPPER LOWER...  a layer's tar of the changes on stdout
IDS is the text of the maps of the tree's user namespace, "" for the host's own; for `place` it may
be ns:N, the descriptor of that namespace, to be entered as its root. ROOT is a descriptor of the
directory to be locked into. An error is a line "KIND TEXT" on stderr
and the exit code 1. Everything is loaded before the host's file system is left behind.
"""

from __future__ import annotations

import errno
import os
import sys

TYPE_CHECKING = False  # the module typing costs milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable

NAMESPACE = "ns:"
_MEMORY_BYTES = 1 << 30
_CLONE_NEWUSER = 0x10000000
_KINDS = {
    errno.ENOENT: "missing",
    errno.EROFS: "readonly",
    errno.ENOSPC: "space",
    errno.EDQUOT: "space",
    errno.ENOTDIR: "invalid",
    errno.EISDIR: "invalid",
    errno.ELOOP: "invalid",
    errno.ENAMETOOLONG: "invalid",
    errno.EEXIST: "invalid",
    errno.EINVAL: "invalid",
    errno.EBUSY: "busy",
    errno.EACCES: "invalid",
    errno.EPERM: "invalid",
}


def main() -> int:
    """Do what is asked for; return the exit code."""
    verb, *words = sys.argv[1:]
    try:
        _VERBS[verb](*words)
    except BrokenPipeError:
        return 1  # The daemon is gone, or reads no more.
    except (OSError, MemoryError, ValueError) as error:
        os.write(2, (failure(error)[:1000] + "\n").encode(errors="replace"))
    else:
        return 0
    return 1


def _pack(ids: str, root: str, path: str, name: str) -> None:
    from engine.adapters.trees.pack import Packer  # noqa: PLC0415 the path was just set
    from engine.adapters.trees.tarwriter import TarOutput  # noqa: PLC0415 the path was just set
    from engine.core.id_maps import IdMaps  # noqa: PLC0415 the path was just set

    _enter(int(root))
    output = TarOutput(1)
    Packer(output, IdMaps.from_text(ids)).path(path, os.fsencode(name))
    output.finish()


def _tree(ids: str, root: str) -> None:
    from engine.adapters.trees.pack import Packer  # noqa: PLC0415 the path was just set
    from engine.adapters.trees.tarwriter import TarOutput  # noqa: PLC0415 the path was just set
    from engine.core.id_maps import IdMaps  # noqa: PLC0415 the path was just set

    _enter(int(root))
    output = TarOutput(1)
    Packer(output, IdMaps.from_text(ids)).tree(os.open("/", os.O_RDONLY | os.O_DIRECTORY), b"")
    output.finish()


def _place(ids: str, root: str, path: str, keep: str, owner: str, zstd: str) -> None:
    import resource  # noqa: PLC0415 only here

    from engine.adapters.trees.place import place  # noqa: PLC0415 the path was just set
    from engine.adapters.unpacking import source  # noqa: PLC0415 the path was just set
    from engine.core.id_maps import IdMaps  # noqa: PLC0415 the path was just set

    head = b""
    while len(head) < 6 and (more := os.read(0, source.CHUNK)):
        head += more
    source.load_decompressor(source.compression(head), zstd)
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    if ids.startswith(NAMESPACE):
        _become_root_of(int(ids.removeprefix(NAMESPACE)))
        ids = ""
    _enter(int(root))
    rest = iter((head,))
    chunks = source.decompressed(lambda count: next(rest, b"") or os.read(0, count), zstd)
    uid, colon, gid = owner.partition(":")
    place(
        source.Stream(chunks),
        path,
        keep_kinds=keep == "1",
        owner=(int(uid), int(gid)) if colon else None,
        ids=IdMaps.from_text(ids),
    )


def _become_root_of(namespace: int) -> None:
    """Enter a user namespace and give up all rights that its own root has not."""
    import ctypes  # noqa: PLC0415 only here

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def _changes(placeholders: str, upper: str, *lowers: str) -> None:
    from engine.adapters.trees.changes import Survey  # noqa: PLC0415 the path was just set

    survey = Survey(_places(placeholders))
    survey.look(*_open_all(upper, lowers))
    text = b"".join(b"%d%s\0" % (kind, path) for path, kind in survey.changes)
    view = memoryview(text)
    while view:
        view = view[os.write(1, view) :]


def _layer(ids: str, placeholders: str, upper: str, *lowers: str) -> None:
    from engine.adapters.trees import changes  # noqa: PLC0415 the path was just set
    from engine.adapters.trees.pack import Packer  # noqa: PLC0415 the path was just set
    from engine.adapters.trees.tarwriter import TarOutput  # noqa: PLC0415 the path was just set
    from engine.core.id_maps import IdMaps  # noqa: PLC0415 the path was just set

    survey = changes.Survey(_places(placeholders))
    root, below = _open_all(upper, lowers)
    survey.look(root, below)
    output = TarOutput(1)
    changes.pack_changes(Packer(output, IdMaps.from_text(ids)), root, survey)
    output.finish()


def _places(text: str) -> frozenset[bytes]:
    return frozenset(os.fsencode(text).split(b"\n"))


def _open_all(upper: str, lowers: tuple[str, ...]) -> tuple[int, list[int]]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    opened = [os.open(each, flags) for each in (upper, *lowers)]
    _enter(opened[0])
    return opened[0], opened[1:]


def _enter(root: int) -> None:
    os.fchdir(root)
    os.chroot(".")
    os.chdir("/")
    os.umask(0)


def failure(error: Exception) -> str:
    """Return the line that tells of an error: its kind, a blank, a text."""
    if isinstance(error, MemoryError):
        return "invalid the tar needs too much memory to unpack"
    if not isinstance(error, OSError):
        return f"invalid {error}"
    return f"{_KINDS.get(error.errno or 0, 'io')} {_words(error)}"


def _words(error: OSError) -> str:
    name = error.filename
    if isinstance(name, bytes):
        name = name[:200].decode(errors="replace")
    text = error.strerror or str(error)
    return f"{name}: {text}" if name else text


_VERBS: dict[str, Callable[..., None]] = {
    "pack": _pack,
    "tree": _tree,
    "place": _place,
    "changes": _changes,
    "layer": _layer,
}
