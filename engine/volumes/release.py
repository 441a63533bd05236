"""Note that a container has a volume no more."""

from __future__ import annotations

from engine.volumes.env import VolumesEnv


def release(env: VolumesEnv, name: str, container_id: str) -> None:
    """Undo `acquire`; fine if it was not."""
    env.store.let_go(name, container_id)
