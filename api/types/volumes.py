"""Volumes as the API spells them (Engine API 1.56)."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from api.types.cluster_volumes import ClusterVolume


class VolumeUsage(Struct, frozen=True):
    """How much a volume holds; -1 where nobody counted."""

    RefCount: int = -1
    Size: int = -1


class Volume(Struct, frozen=True, kw_only=True):
    """A volume as list and inspect show it; `CreatedAt` is RFC 3339."""

    CreatedAt: str | UnsetType = UNSET
    Driver: str = "local"
    Labels: dict[str, str] | None = None
    Mountpoint: str = ""
    Name: str
    Options: dict[str, str] | None = None
    Scope: str = "local"
    Status: dict[str, Any] | UnsetType = UNSET
    UsageData: VolumeUsage | UnsetType = UNSET
    ClusterVolume: ClusterVolume | UnsetType = UNSET


class VolumeCreateRequest(Struct, frozen=True, kw_only=True):
    """The body of POST /volumes/create; an empty name asks for an anonymous volume."""

    Name: str = ""
    Driver: str = ""
    DriverOpts: dict[str, str] | None = None
    Labels: dict[str, str] | None = None
    ClusterVolumeSpec: dict[str, Any] | None = None


class VolumeListResponse(Struct, frozen=True):
    """GET /volumes."""

    Volumes: list[Volume] = field(default_factory=list)
    Warnings: list[str] | None = None


class VolumesPruneResponse(Struct, frozen=True):
    """POST /volumes/prune; bytes."""

    VolumesDeleted: list[str] = field(default_factory=list)
    SpaceReclaimed: int = 0
