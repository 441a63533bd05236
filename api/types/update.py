"""The body of POST /containers/{id}/update as the API spells it (Engine API 1.56)."""

from __future__ import annotations

from msgspec import Struct

from api.types.containers import Resources, RestartPolicy


class ContainerUpdateRequest(Resources, frozen=True, kw_only=True):
    """Limits to be changed, 0 and absent ones stay; and the restart policy, if it has a name."""

    RestartPolicy: RestartPolicy = RestartPolicy()


class ContainerUpdateResponse(Struct, frozen=True):
    """What update answers."""

    Warnings: list[str]
