"""Images as the API spells them (Engine API 1.56)."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from api.types.containers import ContainerConfig, DriverData, HealthConfig


class ManifestSize(Struct, frozen=True):
    """Bytes of the blobs, and of these with what they unpack to."""

    Total: int
    Content: int


class UnpackedSize(Struct, frozen=True):
    """Bytes of the unpacked layers."""

    Unpacked: int


class ImageManifestData(Struct, frozen=True):
    """A manifest of an image: the platform, the ids of its containers, and its size."""

    Platform: Any
    Containers: list[str]
    Size: UnpackedSize


class ImageManifestSummary(Struct, frozen=True, kw_only=True):
    """A manifest, as lists and inspect show it when asked for `manifests`.

    `Descriptor` and `Platform` are as the OCI image spec has them.
    """

    ID: str
    Descriptor: Any
    Available: bool
    Size: ManifestSize
    Kind: str = "image"
    ImageData: ImageManifestData


class ImageSummary(Struct, frozen=True, kw_only=True):
    """One row of GET /images/json; sizes in bytes, `Created` in seconds since the epoch.

    `SharedSize` and `Containers` are -1 when not counted. `VirtualSize` is for API 1.43 and older.
    """

    Containers: int = -1
    Created: int
    Id: str
    Labels: dict[str, str] | None
    ParentId: str = ""
    RepoDigests: list[str] | None
    RepoTags: list[str] | None
    SharedSize: int = -1
    Size: int
    VirtualSize: int | UnsetType = UNSET
    Manifests: list[ImageManifestSummary] | UnsetType = UNSET


class ImageConfig(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an image sets for its containers, as API 1.50 and newer show it: only what is set."""

    User: str = ""
    ExposedPorts: dict[str, Any] | None = None
    Env: list[str] | None = None
    Entrypoint: list[str] | None = None
    Cmd: list[str] | None = None
    Volumes: dict[str, Any] | None = None
    WorkingDir: str = ""
    Labels: dict[str, str] | None = None
    StopSignal: str = ""
    ArgsEscaped: bool = False
    Healthcheck: HealthConfig | None = None
    OnBuild: list[str] | None = None
    Shell: list[str] | None = None


class RootFS(Struct, frozen=True):
    """Uncompressed layers, base first."""

    Type: str
    Layers: list[str] | UnsetType = UNSET


class ImageMetadata(Struct, frozen=True):
    """What this machine knows of an image and the image does not; RFC 3339."""

    LastTagTime: str | UnsetType = UNSET


class ImageInspect(Struct, frozen=True, kw_only=True):
    """GET /images/{name}/json. `Parent` to `ContainerConfig` are for older versions only."""

    Id: str
    RepoTags: list[str]
    RepoDigests: list[str]
    Comment: str | UnsetType = UNSET
    Created: str | UnsetType = UNSET
    Author: str | UnsetType = UNSET
    Config: ImageConfig | ContainerConfig
    Architecture: str
    Variant: str | UnsetType = UNSET
    Os: str
    OsVersion: str | UnsetType = UNSET
    Size: int
    GraphDriver: DriverData
    RootFS: RootFS
    Metadata: ImageMetadata
    Parent: str | UnsetType = UNSET
    DockerVersion: str | UnsetType = UNSET
    VirtualSize: int | UnsetType = UNSET
    Container: str | UnsetType = UNSET
    ContainerConfig: ContainerConfig | UnsetType = UNSET
    Manifests: list[ImageManifestSummary] | UnsetType = UNSET


class ImageHistoryItem(Struct, frozen=True, kw_only=True):
    """One step of GET /images/{name}/history; `Created` in seconds, `Size` in bytes."""

    Comment: str
    Created: int
    CreatedBy: str
    Id: str
    Size: int
    Tags: list[str] | None


class ImageDeleteItem(Struct, frozen=True, omit_defaults=True):
    """What a removal did: one of the two is set."""

    Untagged: str = ""
    Deleted: str = ""


class ImagesPruneReport(Struct, frozen=True):
    """What POST /images/prune did; bytes."""

    ImagesDeleted: list[ImageDeleteItem] | None = None
    SpaceReclaimed: int = 0


class LoadManifestItem(Struct, frozen=True):
    """One image in the manifest.json of a docker archive; names are of archive members."""

    Config: str
    RepoTags: list[str] | None = None
    Layers: list[str] = field(default_factory=list)
