"""Secrets as the API spells them (Engine API 1.56)."""

from __future__ import annotations

from msgspec import Struct, field

from api.types.objects import Annotations, ClusterObject, Driver, Natural, nothing

_Driver = Driver


class SecretSpec(Annotations, frozen=True, kw_only=True, omit_defaults=True):
    """A secret: Data (base64 on the wire) is taken by create and never given back."""

    Data: bytes = b""
    Driver: _Driver | None = None
    Templating: _Driver | None = None


class Secret(ClusterObject, frozen=True, kw_only=True, omit_defaults=True):
    """A secret of the cluster."""

    Spec: SecretSpec = field(default_factory=SecretSpec)


class FileTarget(Struct, frozen=True, kw_only=True):
    """The file that a task finds a secret or config in; Mode is a number of chmod's."""

    Name: str = ""
    UID: str = ""
    GID: str = ""
    Mode: Natural = 0


class SecretReference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A secret that a service uses; the identifier counts, the name is for readers."""

    File: FileTarget | None = field(default_factory=nothing)
    SecretID: str = field(default_factory=str)
    SecretName: str = field(default_factory=str)
