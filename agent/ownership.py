"""One daemon per data root, and the file that names its process."""

from __future__ import annotations

import fcntl
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from api.errors import SkepError

_DATA_ROOT_MODE = 0o710
_EXEC_ROOT_MODE = 0o711


class InUse(SkepError):
    """Another daemon holds the data root, or the pid file names a living one."""


class Unreachable(SkepError):
    """The remapped root user cannot walk to the trees of its containers."""


@dataclass(frozen=True, slots=True)
class Inner:
    """The part of a data root that belongs to one mapping of ids: its path, its root's numbers."""

    path: Path
    uid: int
    gid: int


class DataRoot:
    """Holds the directories of a daemon for its life: a lock that the kernel lets go with it.

    Where ids are remapped, the containers' root user may walk through the data root and its inner
    part, which stay root's: it can neither list nor change them (CVE-2021-21284).
    """

    def __init__(self, data_root: Path, exec_root: Path, inner: Inner | None = None) -> None:
        self._data_root = data_root
        self._exec_root = exec_root
        self._inner = inner
        self._lock: int | None = None

    def __enter__(self) -> None:
        """Make the directories and lock them. Errors: InUse, Unreachable."""
        try:
            self._lock = self._locked()
            self._claim_exec_root()
            self._let_pass()
        except OSError as error:
            self._let_go()
            raise SkepError(f"cannot use {error.filename}: {error.strerror}") from error
        except SkepError:
            self._let_go()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go; the file stays, since removing it could free it twice."""
        self._let_go()

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _locked(self) -> int:
        self._data_root.mkdir(mode=_DATA_ROOT_MODE, parents=True, exist_ok=True)
        self._exec_root.mkdir(parents=True, exist_ok=True)
        self._exec_root.chmod(_EXEC_ROOT_MODE)
        path = self._data_root / "daemon.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(lock, 32).decode("ascii", "replace").strip()
            os.close(lock)
            raise InUse(
                f"another daemon (process {holder or 'unknown'}) uses the data root "
                f"{self._data_root}: stop it, or choose another --data-root"
            ) from error
        os.truncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        return lock

    def _let_pass(self) -> None:
        """Give the directories their owners and rights."""
        inner = self._inner
        for path in (self._data_root, inner.path) if inner else (self._data_root,):
            path.mkdir(mode=_DATA_ROOT_MODE, exist_ok=True)
            os.chown(path, -1, inner.gid if inner else os.getegid())
            path.chmod(_DATA_ROOT_MODE)
        if inner:
            for parent in self._data_root.parents:
                _check_passage(parent, inner)

    def _claim_exec_root(self) -> None:
        """Note whose containers run here. Errors: InUse when they are another data root's."""
        data_root = self._inner.path if self._inner else self._data_root
        note = self._exec_root / "data-root"
        before = note.read_text().strip() if note.exists() else ""
        running = self._exec_root / "containers"
        if before not in {"", str(data_root)} and running.is_dir() and any(running.iterdir()):
            raise InUse(
                f"containers of the data root {before} run in {self._exec_root}: start the daemon "
                "as before (data-root, userns-remap) and stop them, or choose another --exec-root"
            )
        note.write_text(f"{data_root}\n")


def _check_passage(directory: Path, inner: Inner) -> None:
    found = directory.stat()
    if found.st_uid == inner.uid:
        needed = stat.S_IXUSR
    elif found.st_gid == inner.gid:
        needed = stat.S_IXGRP
    else:
        needed = stat.S_IXOTH
    if not found.st_mode & needed:
        raise Unreachable(
            f"a subdirectory in your data-root path ({directory}) restricts access to the remapped "
            f"root uid/gid {inner.uid}:{inner.gid}; please fix by allowing 'o+x' permissions"
        )


class PidFile:
    """A file with the daemon's process id, while it runs; None for no file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Write the file. Errors: InUse when it names another daemon that lives."""
        if self._path is None:
            return
        holder = _daemon_in(self._path)
        if holder is not None:
            raise InUse(f"process {holder} named in {self._path} is a daemon that still runs")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(f"{os.getpid()}\n")
        except OSError as error:
            raise SkepError(f"cannot write {self._path}: {error.strerror}") from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the file."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _daemon_in(path: Path) -> int | None:
    """Return the process that a pid file names, if it is a daemon of ours and not this one."""
    try:
        pid = int(path.read_text().strip())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if pid != os.getpid() and b"daemon" in words else None
