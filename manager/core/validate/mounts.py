"""Mounts of a service's containers."""

from __future__ import annotations

from collections.abc import Sequence

from api.cluster_errors import InvalidSpec
from api.types.containers import Mount

_SOURCE_RULES = {
    "bind": ("invalid bind mount source, must be an absolute path: {}", True),
    "volume": ("invalid volume mount source, must not be an absolute path: {}", False),
}


def check_mounts(mounts: Sequence[Mount]) -> None:
    """Refuse mounts that no node could make; placeholders are filled. Errors: InvalidSpec."""
    targets = set()
    for mount in mounts:
        if mount.Target in targets:
            raise InvalidSpec(f"ContainerSpec: duplicate mount point: {mount.Target}")
        targets.add(mount.Target)
        _check_mount(mount)


def _check_mount(mount: Mount) -> None:
    if not mount.Target.startswith("/"):
        raise InvalidSpec(f"invalid mount target, must be an absolute path: {mount.Target}")
    source = mount.Source or ""
    match mount.Type:
        case "bind" | "volume":
            message, is_path = _SOURCE_RULES[mount.Type]
            if str(source).startswith("/") is not is_path:
                raise InvalidSpec(message.format(source))
        case "tmpfs":
            if source:
                raise InvalidSpec("invalid tmpfs source, source must be empty")
        case "image" | "cluster":
            if not source:
                raise InvalidSpec(f"invalid {mount.Type} mount source, must not be empty")
        case _:
            raise InvalidSpec(f"invalid mount type: {mount.Type}")
