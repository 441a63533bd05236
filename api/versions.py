"""Versions of the Engine API: the range we speak, and how a path names one."""

from __future__ import annotations

import re
from typing import Any

from api.errors import InvalidArgument

Version = tuple[int, int]

MINIMUM: Version = (1, 24)
CURRENT: Version = (1, 56)

_PREFIX = re.compile(r"/v([0-9]{1,4})\.([0-9]{1,4})(?=/)")

_COMPOSE = "docker-compose/1."
_COMPOSE_KNOWS = (1, 44)


class VersionTooOld(InvalidArgument):
    """The client speaks a version from before our range."""

    def __init__(self, version: Version) -> None:
        super().__init__(
            f"client version {spell(version)} is too old. Minimum supported API version is "
            f"{spell(MINIMUM)}, please upgrade your client to a newer version"
        )


class VersionTooNew(InvalidArgument):
    """The client speaks a version from after our range."""

    def __init__(self, version: Version) -> None:
        super().__init__(
            f"client version {spell(version)} is too new. Maximum supported API version is "
            f"{spell(CURRENT)}"
        )


def spell(version: Version) -> str:
    """Return the version as the API writes it: `1.56`."""
    return f"{version[0]}.{version[1]}"


def split_version(path: str) -> tuple[Version, str]:
    """Return the version that a path names and the path without it; the current one if none.

    Errors:  VersionTooOld, VersionTooNew.
    """
    found = _PREFIX.match(path)
    if found is None:
        return CURRENT, path
    version = (int(found[1]), int(found[2]))
    if version < MINIMUM:
        raise VersionTooOld(version)
    if version > CURRENT:
        raise VersionTooNew(version)
    return version, path[found.end() :]


def version_of(request: Any) -> Version:
    """Return the API version that a request (anything with an ASGI `scope`) was made in."""
    version: Version = request.scope["state"].get("api_version", CURRENT)
    return version


def understood(version: Version, user_agent: str) -> Version:
    """Return the newest version whose shapes a client understands.

    docker-compose 1 asks for the newest version that there is, and reads `ContainerConfig` of
    images, which 1.45 took away: with Docker itself it fails at the first service that changes.
    """
    return min(version, _COMPOSE_KNOWS) if user_agent.startswith(_COMPOSE) else version
