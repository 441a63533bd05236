"""Tokens for registries: asked for when a registry wants one, kept while they are valid."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from api.errors import InvalidArgument
from api.types.registry import AuthConfig
from engine.adapters.registry_certificates import RegistryCertificates
from engine.core.auth import (
    Challenge,
    Token,
    basic,
    check_realm,
    parse_challenges,
    read_token,
    refresh_form,
    token_query,
)
from engine.core.registry_endpoints import Endpoint
from engine.core.registry_errors import NoCredentials, RegistryRefused

_ANSWER_LIMIT = 1 << 20
_CACHE_LIMIT = 256
_EARLY_S = 5


@dataclass(frozen=True, slots=True)
class _Kept:
    header: str
    until_s: float


class Authorizer:
    """Answers challenges. What was given to one user's credentials is never used for another's."""

    def __init__(self, session: aiohttp.ClientSession, certificates: RegistryCertificates) -> None:
        self._session = session
        self._certificates = certificates
        self._kept: dict[str, _Kept] = {}

    def known(self, endpoint: Endpoint, scope: str, auth: AuthConfig | None) -> str | None:
        """Return the Authorization header that a registry took before, if it still holds."""
        if auth is not None and auth.registrytoken:
            return f"Bearer {auth.registrytoken}"
        kept = self._kept.get(_key(endpoint, scope, auth))
        return kept.header if kept is not None and time.monotonic() < kept.until_s else None

    async def answer(
        self, endpoint: Endpoint, scope: str, auth: AuthConfig | None, headers: list[str], url: str
    ) -> str:
        """Return the Authorization header that satisfies a 401's WWW-Authenticate headers.

        Errors:  NoCredentials, Forbidden (a realm out of place), RegistryRefused.
        """
        challenges = {each.scheme: each for each in reversed(parse_challenges(headers))}
        life_s = float("inf")
        if (bearer := challenges.get("bearer")) and bearer.parameters.get("realm"):
            token = await self._token(endpoint, bearer, scope, auth)
            header, life_s = f"Bearer {token.value}", token.life_s - _EARLY_S
        elif "basic" in challenges:
            if auth is None or not auth.username:
                raise NoCredentials(url)
            header = basic(auth)
        else:
            raise RegistryRefused("unauthorized: authentication required")
        while len(self._kept) >= _CACHE_LIMIT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[_key(endpoint, scope, auth)] = _Kept(header, time.monotonic() + life_s)
        return header

    async def identity(self, endpoint: Endpoint, headers: list[str], auth: AuthConfig) -> str:
        """Return the refresh token that a token server gives for a password; "" if it has none."""
        for each in parse_challenges(headers):
            if each.scheme == "bearer" and each.parameters.get("realm"):
                token = await self._token(endpoint, each, "", auth, offline=True)
                return token.refresh
        return ""

    async def _token(
        self,
        endpoint: Endpoint,
        challenge: Challenge,
        scope: str,
        auth: AuthConfig | None,
        *,
        offline: bool = False,
    ) -> Token:
        realm = challenge.parameters["realm"]
        check_realm(realm, endpoint.url, may_be_plain=not endpoint.verify)
        parts = urlsplit(realm)
        verify = endpoint.verify or parts.hostname != urlsplit(endpoint.url).hostname
        tls = await self._certificates.of(parts.netloc, verify=verify)
        if auth is not None and auth.identitytoken:
            form = refresh_form(challenge, scope, auth.identitytoken)
            request = self._session.post(realm, data=form, allow_redirects=False, ssl=tls)
        else:
            query = token_query(challenge, scope, auth)
            if offline:
                query += "&client_id=skep&offline_token=true"
            query = "&".join(part for part in (parts.query, query.lstrip("&")) if part)
            target = urlunsplit(parts._replace(query=query, fragment=""))
            headers = {"Authorization": basic(auth)} if auth and auth.username else {}
            request = self._session.get(target, headers=headers, allow_redirects=False, ssl=tls)
        async with request as response:
            body = await response.content.read(_ANSWER_LIMIT)
            while len(body) < _ANSWER_LIMIT and (more := await response.content.read(65536)):
                body += more
            if response.status in {401, 403}:
                raise RegistryRefused("unauthorized: incorrect username or password")
            if response.status != 200:
                raise RegistryRefused(f"the token server {parts.netloc} answered {response.status}")
        try:
            return read_token(body)
        except InvalidArgument as error:
            raise RegistryRefused(error.message) from error


def _key(endpoint: Endpoint, scope: str, auth: AuthConfig | None) -> str:
    who = "" if auth is None else "\0".join((auth.username, auth.password, auth.identitytoken))
    return f"{endpoint.url} {scope} {hashlib.sha256(who.encode()).hexdigest()}"
