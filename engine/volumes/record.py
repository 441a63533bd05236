"""A volume as the engine keeps it."""

from __future__ import annotations

from msgspec import Struct, field


class VolumeRecord(Struct, frozen=True, kw_only=True):
    """One row; `created` is RFC 3339 in seconds, UTC.

    `labels` None and {} differ only in what inspect shows. `removing` is written before the
    directory goes, so that a removal cut short is finished at the next start.
    """

    name: str
    created: str
    labels: dict[str, str] | None = None
    options: dict[str, str] = field(default_factory=dict)
    removing: bool = False
