"""Note that a container has a volume."""

from __future__ import annotations

from engine.volumes.env import VolumesEnv


def acquire(env: VolumesEnv, name: str, container_id: str) -> None:
    """Keep the volume from removal until `release`; asked again by restore after a restart.

    Errors:  NoSuchVolume.
    """
    env.store.get(name)
    env.store.hold(name, container_id)
