"""Tell the event stream what happened to a container."""

from __future__ import annotations

from engine.containers.env import ContainersEnv
from engine.containers.record import ContainerRecord


def notify(env: ContainersEnv, record: ContainerRecord, action: str, **attributes: str) -> None:
    """Publish an event with what every container event carries: labels, image and name."""
    labels = record.config.Labels or {}
    about = {**labels, "image": record.image_ref, "name": record.name, **attributes}
    env.events.publish("container", action, record.id, about)
