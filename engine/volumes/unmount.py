"""Take a volume back from a container that ended."""

from __future__ import annotations

from engine.core.volume import DRIVER
from engine.volumes.env import VolumesEnv


async def unmount(env: VolumesEnv, name: str, container_id: str) -> None:
    """Undo `mount`; the last container to leave unmounts the device. Fine if not mounted."""
    async with env.store.lock(name):
        if not env.store.end_mount(name, container_id):
            return
        record = env.store.find(name)
        if record is not None and record.options and not env.store.mounters(name):
            await env.disk.unmount(name)
        env.events.publish("volume", "unmount", name, {"container": container_id, "driver": DRIVER})
