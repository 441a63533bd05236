"""Volumes of the cluster, made by storage plugins (CSI), as the API spells them (1.56)."""

from __future__ import annotations

from msgspec import Struct, field

from api.types.nodes import Topology
from api.types.objects import ClusterObject


class TypeBlock(Struct, frozen=True):
    """The volume is given as a block device."""


class TypeMount(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The volume is given as a file system."""

    FsType: str = ""
    MountFlags: list[str] = field(default_factory=list)


class VolumeAccessMode(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Scope: single, multi. Sharing: none, readonly, onewriter, all."""

    Scope: str = ""
    Sharing: str = ""
    MountVolume: TypeMount | None = None
    BlockVolume: TypeBlock | None = None


class VolumeSecret(Struct, frozen=True, kw_only=True):
    """A secret that the plugin is given under a key; the secret by name or identifier."""

    Key: str = ""
    Secret: str = ""


class TopologyRequirement(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a volume must be reachable, and where it should be."""

    Requisite: list[Topology] = field(default_factory=list)
    Preferred: list[Topology] = field(default_factory=list)


class CapacityRange(Struct, frozen=True, kw_only=True):
    """Bytes at least and at most; 0 says nothing."""

    RequiredBytes: int = 0
    LimitBytes: int = 0


class ClusterVolumeSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What users want of a volume of the cluster."""

    Group: str = ""
    AccessMode: VolumeAccessMode | None = None
    AccessibilityRequirements: TopologyRequirement | None = None
    CapacityRange: CapacityRange | None = None
    Secrets: list[VolumeSecret] = field(default_factory=list)
    Availability: str = ""


class VolumeInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the plugin told of a volume."""

    CapacityBytes: int = 0
    VolumeContext: dict[str, str] = field(default_factory=dict)
    VolumeID: str = ""
    AccessibleTopology: list[Topology] = field(default_factory=list)


class PublishStatus(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a volume is on a node: pending-publish, published, pending-node-unpublish, ..."""

    NodeID: str = ""
    State: str = ""
    PublishContext: dict[str, str] = field(default_factory=dict)


class ClusterVolume(ClusterObject, frozen=True, kw_only=True, omit_defaults=True):
    """A volume of the cluster: its part of a Volume."""

    Spec: ClusterVolumeSpec = field(default_factory=ClusterVolumeSpec)
    PublishStatus: list[PublishStatus] = field(default_factory=list)
    Info: VolumeInfo | None = None
