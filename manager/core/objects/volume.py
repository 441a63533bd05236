"""Volumes of the cluster, made by storage plugins."""

from __future__ import annotations

from msgspec import field

from api.types.cluster_volumes import ClusterVolumeSpec, PublishStatus, VolumeInfo
from api.types.objects import Annotations, Driver
from manager.core.objects.meta import StoredObject


class Volume(StoredObject, frozen=True, kw_only=True):
    """A volume: its name and labels, its driver, and what the plugin told of it."""

    annotations: Annotations = field(default_factory=Annotations)
    driver: Driver = field(default_factory=Driver)
    spec: ClusterVolumeSpec = field(default_factory=ClusterVolumeSpec)
    info: VolumeInfo | None = None
    publish_status: list[PublishStatus] = field(default_factory=list)
    is_removed: bool = False
