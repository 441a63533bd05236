"""What all objects of the cluster have: an identifier, a version, times."""

from __future__ import annotations

from msgspec import Struct


class Meta(Struct, frozen=True, gc=False):
    """When an object was made and last changed.

    version_index is the log index of the change, what the API calls Version.Index. Both times are
    nanoseconds since the epoch, stamped by the leader. The store alone fills these in.
    """

    version_index: int = 0
    created_ns: int = 0
    updated_ns: int = 0


_NEVER = Meta()


class StoredObject(Struct, frozen=True, kw_only=True, gc=False):
    """Base of all objects. They are never changed in place: `msgspec.structs.replace` them.

    Law:  lists and maps inside are never changed either; objects share them. So nothing here can
    hold a cycle, and the collector need not look at it.
    """

    id: str
    meta: Meta = _NEVER
