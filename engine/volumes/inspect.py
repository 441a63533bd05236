"""Show one volume."""

from __future__ import annotations

from msgspec import UNSET

from api.types.volumes import Volume, VolumeUsage
from engine.core.volume import DRIVER
from engine.volumes.env import VolumesEnv
from engine.volumes.record import VolumeRecord


def inspect(env: VolumesEnv, name: str) -> Volume:
    """Return a volume as the API shows it. Errors: NoSuchVolume."""
    return to_api(env, env.store.get(name))


def to_api(env: VolumesEnv, record: VolumeRecord, usage: VolumeUsage | None = None) -> Volume:
    """Render a record, with usage where somebody counted."""
    return Volume(
        CreatedAt=record.created,
        Driver=DRIVER,
        Labels=record.labels,
        Mountpoint=str(env.disk.mountpoint(record.name)),
        Name=record.name,
        Options=record.options or None,
        UsageData=UNSET if usage is None else usage,
    )
