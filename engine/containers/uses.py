"""Which images and networks containers use: what is asked before such are deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.containers.record import ContainerRecord
from engine.containers.store import ContainerStore
from engine.images.env import ImageUse


def image_uses(store: ContainerStore) -> Callable[[], Sequence[ImageUse]]:
    """Return the function that the image verbs get: every container's use of its image.

    It returns the same object again while no container has changed.
    """
    kept: tuple[ImageUse, ...] = ()
    made_at = -1

    def uses() -> tuple[ImageUse, ...]:
        nonlocal kept, made_at
        if made_at != store.changes:
            kept = tuple(
                ImageUse(record.id, image_id, record.state.is_running)
                for record in store.all()
                for image_id in _images(record)
            )
            made_at = store.changes
        return kept

    return uses


def _images(record: ContainerRecord) -> set[str]:
    """Return the image that a container was made of, and those that it mounts."""
    return {record.image_id, *(mount.image_id for mount in record.mounts if mount.image_id)}


def networks_in_use(store: ContainerStore) -> set[str]:
    """Return the names and ids of the networks that containers name, whether they run or not."""
    return {
        ref
        for record in store.all()
        for name, endpoint in record.endpoints.items()
        for ref in (name, endpoint.NetworkID)
        if ref
    }
