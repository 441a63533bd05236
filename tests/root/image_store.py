"""An image store on real adapters in a directory of its own, without a daemon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from engine.adapters.blobs import FileBlobStore
from engine.adapters.clock import SystemClock
from engine.adapters.overlayfs import OverlaySnapshotter
from engine.adapters.registry import DeferredRegistry
from engine.core.manifest import Platform
from engine.events.bus import EventBus
from engine.images.env import ImagesEnv, ImageUse
from engine.images.load import load
from engine.images.opened import opened
from engine.images.store import ImageStore
from engine.images.transfers import Transfers, concurrent_uploads
from engine.settings import LiveSettings, Settings
from tests.fakes.records import FakeRecords


@dataclass
class Images:
    """The environment of the verbs; `uses` is what containers would tell."""

    root: Path
    records: FakeRecords = field(default_factory=FakeRecords)
    uses: list[ImageUse] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.snapshotter = OverlaySnapshotter(self.root)
        self.blobs = FileBlobStore(self.root)
        settings = LiveSettings(Settings(data_root=self.root))
        clock = SystemClock()
        self.events = EventBus(clock)
        self.env = ImagesEnv(
            settings=settings,
            store=ImageStore(self.records),
            blobs=self.blobs,
            snapshotter=self.snapshotter,
            events=self.events,
            clock=clock,
            uses=lambda: self.uses,
            registry=DeferredRegistry(settings),
            transfers=Transfers(settings),
            uploads=Transfers(settings, concurrent_uploads),
            platform=Platform(os="linux", architecture="amd64"),
        )

    async def load(self, archive: bytes, step: int = 65536) -> list[dict[str, Any]]:
        """Load an archive as the route does; return the lines."""
        lines = await opened(load(self.env, pieces(archive, step), quiet=True))
        return decoded(b"".join([line async for line in lines]))

    def actions(self) -> list[str]:
        """Return the events so far."""
        return [message.Action for message in self.events.past(None, None)]

    def on_disk(self) -> dict[str, list[str]]:
        """Return what images leave on disk: blobs, layers, temporary files."""
        layers = self.root / "layers"
        return {
            "blobs": _names(self.root / "images" / "blobs" / "sha256"),
            "incoming": _names(self.root / "images" / "incoming"),
            "partial": _names(self.root / "images" / "partial"),
            "layers": [name for name in _names(layers) if name not in {"l", "empty"}],
            "links": _names(layers / "l"),
        }


NOTHING: dict[str, list[str]] = {
    "blobs": [], "incoming": [], "partial": [], "layers": [], "links": [],
}  # fmt: skip


def _names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


async def pieces(content: bytes, step: int = 65536) -> AsyncIterator[bytes]:
    """Yield the content as an upload would."""
    for at in range(0, len(content), step):
        yield content[at : at + step]
        await asyncio.sleep(0)


def decoded(lines: bytes) -> list[dict[str, Any]]:
    """Return JSON lines decoded."""
    return [msgspec.json.decode(line) for line in lines.splitlines()]
