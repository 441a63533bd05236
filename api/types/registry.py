"""Registries: credentials and what a login gives."""

from __future__ import annotations

from msgspec import Struct


class AuthConfig(Struct, frozen=True, omit_defaults=True):
    """Credentials for one registry, as `X-Registry-Auth` and `POST /auth` carry them.

    `auth` is base64 of `user:password`; `identitytoken` is a refresh token, `registrytoken` a
    bearer token to be sent as it is.
    """

    username: str = ""
    password: str = ""
    auth: str = ""
    email: str = ""
    serveraddress: str = ""
    identitytoken: str = ""
    registrytoken: str = ""

    def __repr__(self) -> str:
        return f"AuthConfig(username={self.username!r}, serveraddress={self.serveraddress!r}, ...)"


class AuthResponse(Struct, frozen=True):
    """What a login gives; `IdentityToken` is "" where the registry has none."""

    Status: str
    IdentityToken: str = ""
