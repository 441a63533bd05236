"""What `userns-remap` comes to on this machine: who the containers' root is, and the id maps."""

from __future__ import annotations

import grp
import pwd
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from api.errors import SkepError
from engine.core.id_maps import IdMap, IdMaps
from engine.settings import Settings

log = structlog.get_logger(__name__)

DEFAULT, DEFAULT_USER = "default", "dockremap"
_SUBUID, _SUBGID = Path("/etc/subuid"), Path("/etc/subgid")
_NAMESPACES = Path("/proc/sys/user/max_user_namespaces")
_FIRST_FREE, _COUNT = 100_000, 65_536
_LARGEST_ID = (1 << 32) - 2
_TIMEOUT_S = 30.0


class CannotRemap(SkepError):
    """The user namespace that was asked for cannot be had on this machine."""


@dataclass(frozen=True, slots=True)
class _Account:
    """A user of the host by name and number."""

    name: str
    uid: int


def remapped(settings: Settings) -> Settings:
    """Return the settings with id maps, and the data root that belongs to them, where asked for.

    The user dockremap and its ranges are made for "default" if they are missing.
    Errors:  CannotRemap.
    """
    if not settings.userns_remap:
        return settings
    account = _account(settings.userns_remap)
    if account.uid == 0:
        log.warning("daemon.root_not_remapped", reason="root cannot be remapped to itself")
        return settings
    if not _may_make_namespaces():
        raise CannotRemap(
            "user namespaces are not enabled in the kernel: see the sysctl user.max_user_namespaces"
        )
    if account.name == DEFAULT_USER:
        _ensure_ranges(account)
    maps = IdMaps(_map_of(account, _SUBUID, "subuid"), _map_of(account, _SUBGID, "subgid"))
    root = "{}.{}".format(*maps.root)
    log.info("daemon.ids_remapped", user=account.name, root=root)
    return replace(settings, id_maps=maps, data_root=settings.data_root / root)


def subordinates(text: str, account: str, uid: int) -> list[tuple[int, int]]:
    """Return the ranges (first, how many) of a user in a file like /etc/subuid.

    Lines that begin with the number go before those that begin with the name.
    Errors:  ValueError naming the line.
    """
    by_name: dict[str, list[tuple[int, int]]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].strip().split(":")
        if words == [""]:
            continue
        if len(words) != 3 or not all(word.isascii() and word.isdigit() for word in words[1:]):
            raise ValueError(f"not of the form user:first:count: {line!r}")
        first, count = int(words[1]), int(words[2])
        if not 0 < count <= _LARGEST_ID or first + count - 1 > _LARGEST_ID:
            raise ValueError(f"no range of ids: {line!r}")
        by_name.setdefault(words[0], []).append((first, count))
    return by_name.get(str(uid)) or by_name.get(account, [])


def _account(spec: str) -> _Account:
    """Return who "user", "user:group", "uid" or "uid:gid" is. Errors: CannotRemap."""
    user, _, group = spec.partition(":")
    if user == DEFAULT:
        return _default_account()
    account = _user(user)
    _check_group(group or (user if user.isdigit() else account.name))
    return account


def _user(text: str) -> _Account:
    try:
        found = pwd.getpwuid(int(text)) if _is_number(text) else pwd.getpwnam(text)
    except (KeyError, OverflowError) as error:
        raise CannotRemap(f"userns-remap: there is no user {text} on this machine") from error
    return _Account(found.pw_name, found.pw_uid)


def _check_group(text: str) -> None:
    try:
        _ = grp.getgrgid(int(text)) if _is_number(text) else grp.getgrnam(text)
    except (KeyError, OverflowError) as error:
        raise CannotRemap(f"userns-remap: there is no group {text} on this machine") from error


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _default_account() -> _Account:
    try:
        return _user(DEFAULT_USER)
    except CannotRemap:
        _run(
            "useradd", "--system", "--user-group", "--no-create-home",
            "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", DEFAULT_USER,
        )  # fmt: skip
        log.info("daemon.user_made", user=DEFAULT_USER)
        return _user(DEFAULT_USER)


def _ensure_ranges(account: _Account) -> None:
    for file, flag in ((_SUBUID, "--add-subuids"), (_SUBGID, "--add-subgids")):
        text = _read(file)
        try:
            first = None if subordinates(text, account.name, account.uid) else free_range(text)
        except ValueError as error:
            raise CannotRemap(f"{file}: {error}") from error
        if first is not None:
            _run("usermod", flag, f"{first}-{first + _COUNT - 1}", account.name)
            log.info("daemon.ids_given", user=account.name, file=str(file), first=first)


def free_range(text: str) -> int:
    """Return the first of 65,536 ids that no line of a file like /etc/subuid has, and none after.

    Errors:  ValueError.
    """
    first = _FIRST_FREE
    for line in text.splitlines():
        name = line.partition(":")[0]
        for start, count in subordinates(line, name, -1):
            first = max(first, start + count)
    return first


def _map_of(account: _Account, file: Path, kind: str) -> IdMap:
    try:
        ranges = subordinates(_read(file), account.name, account.uid)
    except ValueError as error:
        raise CannotRemap(f"{file}: {error}") from error
    if not ranges:
        raise CannotRemap(
            f'no {kind} ranges found for user "{account.name}" in {file}: add a line '
            f"{account.name}:{_FIRST_FREE}:{_COUNT}, with ids that nobody else has"
        )
    return IdMap.of_subordinates(ranges)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise CannotRemap(f"cannot read {file}: {error.strerror}") from error


def _may_make_namespaces() -> bool:
    try:
        return int(_NAMESPACES.read_text()) > 0
    except (OSError, ValueError):
        return False


def _run(*command: str) -> None:
    """Run a tool of the host's user database. Errors: CannotRemap with its words."""
    what = f"the user {DEFAULT_USER} for userns-remap"
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotRemap(f"cannot make {what}: {command[0]}: {error}") from error
    if done.returncode != 0:
        raise CannotRemap(f"cannot make {what}: {command[0]}: {done.stderr.strip()}")
