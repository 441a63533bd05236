"""Configs: files that services are given, no secret."""

from __future__ import annotations

from msgspec import field

from api.types.configs import ConfigSpec
from manager.core.objects.meta import StoredObject


class Config(StoredObject, frozen=True, kw_only=True):
    """A config."""

    spec: ConfigSpec = field(default_factory=ConfigSpec)
