"""Secrets. What they hold is in spec.Data, and leaves the managers for tasks only."""

from __future__ import annotations

from msgspec import field

from api.types.secrets import SecretSpec
from manager.core.objects.meta import StoredObject


class Secret(StoredObject, frozen=True, kw_only=True):
    """A secret. is_internal: made by the managers for themselves, not shown to users."""

    spec: SecretSpec = field(default_factory=SecretSpec)
    is_internal: bool = False

    def __repr__(self) -> str:
        return f"Secret(id={self.id!r}, name={self.spec.Name!r})"  # never what it holds
