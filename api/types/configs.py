"""Configs as the API spells them (Engine API 1.56)."""

from __future__ import annotations

from msgspec import Struct, field

from api.types.objects import Annotations, ClusterObject, Driver
from api.types.secrets import FileTarget


class ConfigSpec(Annotations, frozen=True, kw_only=True, omit_defaults=True):
    """A config: Data is base64 on the wire."""

    Data: bytes = b""
    Templating: Driver | None = None


class Config(ClusterObject, frozen=True, kw_only=True, omit_defaults=True):
    """A config of the cluster."""

    Spec: ConfigSpec = field(default_factory=ConfigSpec)


class RuntimeTarget(Struct, frozen=True):
    """Says that a config is for the runtime (a credential spec), not for a file."""


class ConfigReference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A config that a service uses: as a file, or by its runtime."""

    File: FileTarget | None = None
    Runtime: RuntimeTarget | None = None
    ConfigID: str = field(default_factory=str)
    ConfigName: str = field(default_factory=str)
