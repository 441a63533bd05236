"""Make a volume ready for a container that starts."""

from __future__ import annotations

from pathlib import Path

from engine.core.volume import DRIVER
from engine.volumes.env import VolumesEnv


async def mount(env: VolumesEnv, name: str, container_id: str, destination: str = "") -> Path:
    """Return where the volume's content is, its device mounted if its options name one.

    Idempotent by container, so that a restarted daemon may ask again for those that run.
    Errors:  NoSuchVolume; Internal with the kernel's reason.
    """
    async with env.store.lock(name):
        record = env.store.get(name)
        await env.disk.mount(name, record.options)
        if container_id not in env.store.mounters(name):
            env.store.begin_mount(name, container_id)
            attributes = {"container": container_id, "driver": DRIVER}
            if destination:
                attributes |= {"destination": destination, "propagation": "", "read/write": "true"}
            env.events.publish("volume", "mount", name, attributes)
    return env.disk.mountpoint(name)
