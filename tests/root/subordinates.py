"""Subordinate ids for a user of this machine, for a while."""

from __future__ import annotations

import fcntl
import grp
import pwd
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from agent.remapping import free_range

_FILES = (Path("/etc/subuid"), Path("/etc/subgid"))
_COUNT = 65_536


@dataclass(frozen=True)
class Subordinates:
    """A user, and the first of its 65,536 ids on the host."""

    user: str
    uid: int
    first: int


@contextmanager
def lent_subordinates() -> Iterator[Subordinates]:
    """Give a user without such ids a range in /etc/subuid and /etc/subgid; take it back behind."""
    lent, line = _add()
    try:
        yield lent
    finally:
        for file in _FILES:
            _edit(file, lambda text: text.replace(line, "", 1))


def _add() -> tuple[Subordinates, str]:
    with _locked():
        texts = [file.read_text() if file.exists() else "" for file in _FILES]
        user = next(each for each in _candidates() if not any(f"{each}:" in it for it in texts))
        first = max(1_000_000, *map(free_range, texts))
        line = f"{user}:{first}:{_COUNT}\n"
        for file in _FILES:
            with file.open("a") as opened:
                opened.write(line)
    return Subordinates(user, pwd.getpwnam(user).pw_uid, first), line


def _candidates() -> Iterator[str]:
    for found in pwd.getpwall():
        if 0 < found.pw_uid < 1000:
            with suppress(KeyError):
                grp.getgrnam(found.pw_name)
                grp.getgrgid(found.pw_uid)
                yield found.pw_name


def _edit(file: Path, change: object) -> None:
    assert callable(change)
    with _locked():
        file.write_text(change(file.read_text()))


@contextmanager
def _locked() -> Iterator[None]:
    with Path("/run/lock/skep-test-subordinates").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
