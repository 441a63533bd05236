"""Events of images."""

from __future__ import annotations

from engine.images.env import ImagesEnv
from engine.images.record import ImageRecord


def tell(env: ImagesEnv, action: str, image: ImageRecord, name: str = "") -> None:
    """Publish what happened to an image; its labels go with it."""
    attributes = {**(image.config.Labels or {}), "name": name or image.id}
    env.events.publish("image", action, image.id, attributes)
