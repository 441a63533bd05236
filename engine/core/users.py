"""Who a container's process runs as: "user", "uid", "user:group", found in the image's files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from api.errors import InvalidArgument

_LAST_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class User:
    """Numeric identity; `groups` are the supplementary ones, without doubles."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()


class NoSuchUser(InvalidArgument):
    """The image's passwd file has no such name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unable to find user {name}: no matching entries in passwd file")


class NoSuchGroup(InvalidArgument):
    """The image's group file has no such name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unable to find group {name}: no matching entries in group file")


class IdOutOfRange(InvalidArgument):
    """A numeric id that the kernel's tools read as another one."""

    def __init__(self) -> None:
        super().__init__("uids and gids must be in range 0-2147483647")


def resolve_user(
    spec: str, passwd: bytes, group: bytes, group_add: Sequence[str] | None = None
) -> User:
    """Return the identity that `spec` means in an image; "" is root.

    A number is an id and never a name, even if the file has such a name: else an image could make
    `USER 1000` mean root. Malformed lines of the files are passed over.
    Errors:  NoSuchUser, NoSuchGroup, IdOutOfRange.
    """
    user_part, _, group_part = spec.partition(":")
    number = _number(user_part or "0")
    entry = _find_account(user_part, number, passwd)
    if entry is not None:
        name, uid, gid = entry
    elif number is not None:
        name, uid, gid = "", number, 0
    else:
        raise NoSuchUser(user_part)
    groups: list[int] = []
    if group_part:
        gid = _group_id(group_part, group)
    elif name:
        groups = [each for _, each, members in _group_lines(group) if name in members]
    groups += [_group_id(each, group) for each in group_add or []]
    return User(uid, gid, tuple(dict.fromkeys([gid, *groups])))


def _find_account(name: str, number: int | None, passwd: bytes) -> tuple[str, int, int] | None:
    for fields in _lines(passwd):
        uid, gid = _entry_number(fields, 2), _entry_number(fields, 3)
        if uid is None or gid is None:
            continue
        if (fields[0] == name) if number is None else (uid == number):
            return fields[0], uid, gid
    return None


def _group_id(text: str, group: bytes) -> int:
    number = _number(text)
    if number is not None:
        return number
    for name, gid, _ in _group_lines(group):
        if name == text:
            return gid
    raise NoSuchGroup(text)


def _group_lines(group: bytes) -> Iterator[tuple[str, int, list[str]]]:
    for fields in _lines(group):
        gid = _entry_number(fields, 2)
        if gid is not None:
            members = fields[3].split(",") if len(fields) > 3 else []
            yield fields[0], gid, members


def _lines(content: bytes) -> Iterator[list[str]]:
    for line in content.decode(errors="replace").split("\n"):
        text = line.strip()
        if text and not text.startswith("#"):
            yield text.split(":")


def _entry_number(fields: list[str], index: int) -> int | None:
    try:
        return _number(fields[index]) if len(fields) > index else None
    except IdOutOfRange:
        return None


def _number(text: str) -> int | None:
    if not text.lstrip("-").isdecimal() or not text.isascii():
        return None
    if text.startswith("-") or len(text) > 10 or int(text) > _LAST_ID:
        raise IdOutOfRange
    return int(text)
