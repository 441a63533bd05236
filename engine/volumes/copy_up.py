"""Give an empty volume what the image has at its place."""

from __future__ import annotations

from pathlib import Path

from engine.volumes.env import VolumesEnv


async def copy_up(
    env: VolumesEnv,
    container_root: Path,
    destination: str,
    volume: str,
    subpath: str = "",
) -> None:
    """Copy the content of `destination` inside the root into the volume, if that is empty.

    Call between `mount` of the volume and the start of the container, its root mounted.
    Errors:  NoSuchVolume, Internal.
    """
    async with env.store.lock(volume):
        record = env.store.get(volume)
        alone = len(env.store.mounters(volume)) <= 1 and not record.options and not subpath
        await env.disk.copy_up(volume, subpath, container_root, destination, alone=alone)
