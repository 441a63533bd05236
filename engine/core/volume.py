"""What a volume may be called and what its options mean: rules of the `local` driver."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from api.errors import InvalidArgument

ANONYMOUS_LABEL = "com.docker.volume.anonymous"
DRIVER = "local"

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_NAME_BYTES = 255
_OPTIONS = frozenset({"type", "o", "device"})

# mount(2) flags by their mount(8) word: (bits to set, bits to clear).
_FLAGS: Mapping[str, tuple[int, int]] = {
    "ro": (0x1, 0),
    "rw": (0, 0x1),
    "nosuid": (0x2, 0),
    "suid": (0, 0x2),
    "nodev": (0x4, 0),
    "dev": (0, 0x4),
    "noexec": (0x8, 0),
    "exec": (0, 0x8),
    "sync": (0x10, 0),
    "async": (0, 0x10),
    "remount": (0x20, 0),
    "mand": (0x40, 0),
    "nomand": (0, 0x40),
    "dirsync": (0x80, 0),
    "noatime": (0x400, 0),
    "atime": (0, 0x400),
    "nodiratime": (0x800, 0),
    "diratime": (0, 0x800),
    "bind": (0x1000, 0),
    "rbind": (0x1000 | 0x4000, 0),
    "relatime": (0x200000, 0),
    "norelatime": (0, 0x200000),
    "strictatime": (0x1000000, 0),
    "defaults": (0, 0),
    "private": (0x40000, 0),
    "rprivate": (0x40000 | 0x4000, 0),
    "shared": (0x100000, 0),
    "rshared": (0x100000 | 0x4000, 0),
    "slave": (0x80000, 0),
    "rslave": (0x80000 | 0x4000, 0),
}
MS_BIND = 0x1000


class InvalidVolumeName(InvalidArgument):
    """The name has other characters than the local driver takes."""

    def __init__(self, name: str) -> None:
        shown = name.encode("unicode_escape").decode("ascii").replace('"', '\\"')
        super().__init__(
            f'"{shown}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, '
            "use absolute path"
        )


@dataclass(frozen=True, slots=True)
class MountPlan:
    """A mount(2) call: kind of file system, device, flag bits, and what the file system reads."""

    fstype: str
    device: str
    flags: int
    data: str


def check_name(name: str) -> None:
    """Accept a name for the local driver. Errors: InvalidArgument with Docker's words."""
    if len(name) == 1:
        msg = "volume name is too short, names should be at least two alphanumeric characters"
        raise InvalidArgument(msg)
    if _NAME.fullmatch(name) is None:
        raise InvalidVolumeName(name)
    if len(name) > _NAME_BYTES:
        msg = f"volume name is too long: {len(name)} characters, at most {_NAME_BYTES} are allowed"
        raise InvalidArgument(msg)


def check_options(options: Mapping[str, str]) -> None:
    """Accept the driver's options: none, or a device with its type and mount options.

    Errors:  InvalidArgument on an unknown or a missing one.
    """
    for key in options:
        if key == "size":
            raise InvalidArgument("quota size requested but no quota support")
        if key not in _OPTIONS:
            raise InvalidArgument(f'invalid option: "{key}"')
        if "\0" in options[key]:
            raise InvalidArgument(f'invalid option: "{key}" has a NUL character')
    if (options.get("type") or options.get("o")) and not options.get("device"):
        raise InvalidArgument('missing required option: "device"')
    if options.get("device") and not options.get("type") and not _is_bind(options):
        raise InvalidArgument('missing required option: "type"')


def plan_mount(options: Mapping[str, str]) -> MountPlan | None:
    """Return the mount that the options ask for; None for a plain directory."""
    if not options.get("device"):
        return None
    flags = 0
    data: list[str] = []
    for word in filter(None, options.get("o", "").split(",")):
        if word in _FLAGS:
            to_set, to_clear = _FLAGS[word]
            flags = (flags | to_set) & ~to_clear
        else:
            data.append(word)
    return MountPlan(options.get("type", ""), options["device"], flags, ",".join(data))


def _is_bind(options: Mapping[str, str]) -> bool:
    return bool({"bind", "rbind"}.intersection(options.get("o", "").split(",")))
