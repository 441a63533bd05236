"""Objects of kinds that others define: an extension names the kind, resources are of it."""

from __future__ import annotations

from msgspec import field

from api.types.objects import Annotations
from manager.core.objects.meta import StoredObject


class Extension(StoredObject, frozen=True, kw_only=True):
    """A kind of resources; its name is the kind."""

    annotations: Annotations = field(default_factory=Annotations)
    description: str = ""


class Resource(StoredObject, frozen=True, kw_only=True):
    """A resource: the store keeps its payload and does not read it."""

    annotations: Annotations = field(default_factory=Annotations)
    kind: str = ""
    payload: bytes = b""
