"""Make a container's volumes ready, and say where on the host its mounts come from."""

from __future__ import annotations

from pathlib import Path

from engine.containers.env import ContainersEnv
from engine.containers.record import ContainerRecord
from engine.core.mount_points import MountRecord
from engine.volumes.copy_up import copy_up
from engine.volumes.mount import mount as mount_volume

# The numbers of whole images, apart from those of the places inside them.
_VIEWS = 10_000


async def ready_mounts(env: ContainersEnv, record: ContainerRecord, root: Path) -> None:
    """Mount the volumes of a container whose root is mounted; fill new ones from the image.

    Host directories that -v named and that vanished since are made again, as Docker does.
    Errors:  NoSuchVolume, Internal.
    """
    lenient = [each.source for each in record.mounts if each.kind == "bind" and each.make_source]
    if lenient:
        await env.host.files.make_directories(lenient)
    if record.host_config.IpcMode == "shareable":
        await env.host.files.open_shm(record.id, record.host_config.ShmSize)
    for mount in record.mounts:
        if mount.kind != "volume":
            continue
        await mount_volume(env.volumes, mount.volume, record.id, mount.destination)
        if mount.copy_up:
            await copy_up(env.volumes, root, mount.destination, mount.volume, mount.subpath)


async def sources(env: ContainersEnv, record: ContainerRecord) -> dict[str, str]:
    """Return the host path of every bind, volume and image by its destination.

    What lies inside a volume or an image is held by a mount of its own until `let_go`: another
    container may change the tree between this look and the runtime's mount.
    Errors:  NotFound, InvalidArgument (a subpath that is not there, or leads outside), Internal.
    """
    found: dict[str, str] = {}
    for number, mount in enumerate(record.mounts):
        match mount.kind:
            case "bind":
                found[mount.destination] = mount.source
            case "volume":
                base = env.volumes.disk.mountpoint(mount.volume)
                found[mount.destination] = await _inside(env, record.id, number, mount, base)
            case "image":
                view = await env.volumes.pins.place(record.id, _VIEWS + number)
                await env.images.snapshotter.mount_view(mount.chain_ids, view)
                found[mount.destination] = await _inside(env, record.id, number, mount, view)
    return found


async def let_go(env: ContainersEnv, record: ContainerRecord) -> None:
    """Undo what `sources` mounted; fine if nothing. Errors: Internal."""
    if any(mount.subpath or mount.kind == "image" for mount in record.mounts):
        await env.volumes.pins.release(record.id)


async def _inside(
    env: ContainersEnv, container_id: str, number: int, mount: MountRecord, base: Path
) -> str:
    if not mount.subpath:
        return str(base)
    return str(await env.volumes.pins.pin(container_id, number, base, mount.subpath))
