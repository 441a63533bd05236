"""Say what a container changed of its image's files."""

from __future__ import annotations

from api.types.containers import FilesystemChange
from engine.containers.env import ContainersEnv
from engine.containers.record import ContainerRecord
from engine.containers.user_namespace import packed_ids
from engine.ports.trees import LayerPaths

# What a start makes to mount on; in no image, and of no interest.
_PLACEHOLDERS = (
    "/.dockerenv", "/dev", "/dev/console", "/dev/mqueue", "/dev/pts", "/dev/shm",  # noqa: S108  (mount points)
    "/etc",
    "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/proc", "/run", "/run/secrets", "/sbin",
    "/sbin/docker-init", "/sys", "/sys/fs", "/sys/fs/cgroup",
)  # fmt: skip


async def changes(env: ContainersEnv, ref: str) -> list[FilesystemChange] | None:
    """Return the changes, directories before their content; None if there are none.

    Errors:  NoSuchContainer.
    """
    record = env.store.resolve(ref)
    found = await env.host.insight.trees.changes(layer_paths(env, record))
    return [FilesystemChange(each.path, each.kind) for each in found] or None


def layer_paths(env: ContainersEnv, record: ContainerRecord) -> LayerPaths:
    """Return where a container's own files are, and those of its image."""
    upper, lowers = env.images.snapshotter.tree_paths(record.id, record.chain_ids)
    return LayerPaths(upper, lowers, _PLACEHOLDERS, packed_ids(env))
