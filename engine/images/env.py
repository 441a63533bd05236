"""What the verbs on images need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.core.manifest import Platform
from engine.events.bus import EventBus
from engine.images.store import ImageStore
from engine.images.transfers import Transfers
from engine.ports.clock import Clock
from engine.ports.registry import Registry
from engine.ports.storage import BlobStore, Snapshotter
from engine.settings import LiveSettings


@dataclass(frozen=True, slots=True)
class ImageUse:
    """A container that uses an image."""

    container_id: str
    image_id: str
    running: bool


@dataclass(frozen=True, slots=True)
class ImagesEnv:
    """The ports of the image verbs; `uses` is answered by the containers.

    It gives the very same object again while nothing has changed.
    `platform` is the machine's own, in the names of image platforms (amd64).
    """

    settings: LiveSettings
    store: ImageStore
    blobs: BlobStore
    snapshotter: Snapshotter
    events: EventBus
    clock: Clock
    uses: Callable[[], Sequence[ImageUse]]
    registry: Registry
    transfers: Transfers
    uploads: Transfers
    platform: Platform
