"""Remove a volume."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from api.errors import Conflict
from engine.core.volume import DRIVER
from engine.volumes.env import VolumesEnv


class VolumeInUse(Conflict):
    """Containers, running or not, still have it."""

    def __init__(self, name: str, holders: Sequence[str]) -> None:
        super().__init__(f"remove {name}: volume is in use - [{', '.join(holders)}]")


async def remove(env: VolumesEnv, name: str, *, force: bool = False) -> None:
    """Delete a volume and what it holds; `force` forgives one that does not exist.

    Errors:  NoSuchVolume, VolumeInUse, Internal.
    """
    async with env.store.lock(name):
        record = env.store.find(name) if force else env.store.get(name)
        if record is None:
            return
        holders = env.store.holders(name)
        if holders:
            raise VolumeInUse(name, holders)
        await env.store.put(msgspec.structs.replace(record, removing=True))
        await env.disk.unmount(name)
        await env.disk.remove(name)
        await env.store.drop(name)
    env.events.publish("volume", "destroy", name, {"driver": DRIVER})
