"""List volumes."""

from __future__ import annotations

from api.filters import Filters
from api.types.volumes import VolumeListResponse
from engine.core.volume import DRIVER
from engine.core.volume_filters import LIST_KEYS, labelled, names
from engine.volumes.env import VolumesEnv
from engine.volumes.inspect import to_api


def list_volumes(env: VolumesEnv, wanted: Filters) -> VolumeListResponse:
    """Return the volumes that pass every filter, by name. Errors: InvalidFilter."""
    wanted.check(LIST_KEYS)
    dangling = wanted.flag("dangling")
    drivers = wanted.get("driver", ())
    if drivers and DRIVER not in drivers:
        return VolumeListResponse()
    return VolumeListResponse(
        [
            to_api(env, record)
            for record in env.store.all()
            if names(wanted, record.name)
            and labelled(wanted, record.labels)
            and (dangling is None or dangling != bool(env.store.holders(record.name)))
        ]
    )
