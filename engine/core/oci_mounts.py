"""The mounts of a container in the runtime's form: the system's own, and those asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecMount:
    """A mount asked for. `source` "" is a tmpfs with `options` (words of mount(8)).

    `is_deep` makes what is mounted inside a read-only one read-only too (kernel 5.12).
    `propagation` is one of mount(8)'s words, rprivate unless told.
    """

    destination: str
    source: str = ""
    read_only: bool = False
    is_deep: bool = False
    non_recursive: bool = False
    propagation: str = "rprivate"
    options: Sequence[str] = ()


TERMINALS_GID = 5
_TMPFS_DEFAULTS = ("noexec", "nosuid", "nodev")
_OPPOSITES = {"exec": "noexec", "suid": "nosuid", "dev": "nodev", "rw": "ro"}


def system_mounts(
    *,
    shm_size: int,
    shm_source: str,
    host_ipc: bool,
    writable_sys: bool,
    writable_cgroups: bool,
    has_queues: bool = True,
    terminals_gid: int | None = TERMINALS_GID,
) -> list[dict[str, Any]]:
    """Return what every container has: /proc, /dev, /sys and what is below them.

    `shm_source` is a host directory for /dev/shm, "" for a tmpfs of its own of `shm_size` bytes.
    `has_queues` is false where /dev/mqueue cannot be: of the host's queues in a user namespace.
    """
    access = [] if writable_sys else ["ro"]
    cgroup_access = [] if writable_cgroups else ["ro"]
    safe = ["nosuid", "noexec", "nodev"]
    terminals = [] if terminals_gid is None else [f"gid={terminals_gid}"]
    mounts = [
        _mount("/proc", "proc", "proc", safe),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount(
            "/dev/pts",
            "devpts",
            "devpts",
            ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", *terminals],
        ),
        _mount("/sys", "sysfs", "sysfs", [*safe, *access]),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", [*safe, *cgroup_access]),
    ]
    if has_queues:
        # A fresh mount shows the queues of the namespace that it is made in, be it the host's.
        mounts.append(_mount("/dev/mqueue", "mqueue", "mqueue", safe))
    if host_ipc:
        shm_source = shm_source or "/dev/shm"  # noqa: S108  (the host's, as asked for)
    shm = "/dev/shm"  # noqa: S108  (a mount point inside the container)
    if shm_source:
        mounts.append(_mount(shm, "bind", shm_source, ["rbind", "rprivate", *safe]))
    else:
        options = [*safe, "mode=1777", f"size={shm_size}"]
        mounts.append(_mount(shm, "tmpfs", "shm", options))
    return mounts


def merge_mounts(
    system: Iterable[Mapping[str, Any]],
    asked: Sequence[SpecMount],
    files: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return all mounts in the order to be made: outer before inner.

    What is asked for takes the place of a system mount at the same path, and /dev asked for takes
    those below it too. `files` are host files by their path in the container (/etc/hosts), bound
    writable unless something asked for is there.
    """
    places = {mount.destination for mount in asked}
    kept = [
        dict(mount)
        for mount in system
        if mount["destination"] not in places
        and not ("/dev" in places and mount["destination"].startswith("/dev/"))
    ]
    bound = [
        _mount(place, "bind", source, ["rbind", "rprivate"])
        for place, source in files.items()
        if place not in places
    ]
    rest = [*(_asked(mount) for mount in asked), *bound]
    rest.sort(key=lambda mount: str(mount["destination"]).count("/"))
    return [*kept, *rest]


def root_propagation(asked: Sequence[SpecMount]) -> str:
    """Return how the root mount must spread for the mounts' propagation to work; "" by default."""
    words = {mount.propagation for mount in asked}
    if words & {"shared", "rshared"}:
        return "shared"
    if words & {"slave", "rslave"}:
        return "rslave"
    return ""


def _asked(mount: SpecMount) -> dict[str, Any]:
    if not mount.source:
        return _mount(mount.destination, "tmpfs", "tmpfs", _tmpfs_options(mount))
    options = ["bind" if mount.non_recursive else "rbind"]
    options.append(("rro" if mount.is_deep else "ro") if mount.read_only else "rw")
    options.append(mount.propagation or "rprivate")
    return _mount(mount.destination, "bind", mount.source, options)


def _tmpfs_options(mount: SpecMount) -> list[str]:
    words = [word for word in mount.options if word]
    given = set(words)
    defaults = [
        word
        for word in _TMPFS_DEFAULTS
        if word not in given and not any(_OPPOSITES.get(each) == word for each in given)
    ]
    if mount.read_only and "ro" not in given:
        words.append("ro")
    return [*defaults, *words]


def _mount(destination: str, kind: str, source: str, options: Sequence[str]) -> dict[str, Any]:
    return {
        "destination": destination,
        "type": kind,
        "source": source,
        "options": list(options),
    }
