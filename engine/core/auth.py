"""How a registry asks who we are, and what we may answer.

Source:  RFC 9110 section 11 (challenges), the distribution project's token specification.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import msgspec

from api.errors import Forbidden, InvalidArgument
from api.types.registry import AuthConfig

_HEADER_LIMIT = 64 << 10
_DEFAULT_LIFE_S = 60
_MAX_LIFE_S = 86_400
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"\s*({_WORD})(?:\s+|$)")
_PARAMETER = re.compile(rf'\s*,?\s*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))\s*')


class MalformedAuth(InvalidArgument):
    """The X-Registry-Auth header is not base64url of a JSON object."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"invalid X-Registry-Auth header: {reason}")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way in that a registry offers; `scheme` in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, valid for `life_s` seconds from now; `refresh` is for the next one."""

    value: str
    life_s: float
    refresh: str = ""


class _TokenAnswer(msgspec.Struct):
    token: str | None = None
    access_token: str | None = None
    expires_in: float | None = None
    refresh_token: str | None = None


def auth_from_header(text: str) -> AuthConfig | None:
    """Return the credentials of an X-Registry-Auth header; None when it is empty or says nothing.

    Base64 may be of either alphabet, padded or not, as clients differ.
    Errors:  MalformedAuth.
    """
    text = text.strip()
    if not text:
        return None
    if len(text) > _HEADER_LIMIT:
        raise MalformedAuth("too long")
    plain = text.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
        auth = msgspec.json.decode(raw, type=AuthConfig | None)
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise MalformedAuth(str(error)) from error
    return complete(auth) if auth is not None and auth != AuthConfig() else None


def complete(auth: AuthConfig) -> AuthConfig:
    """Fill in name and password from the `auth` field, where only that is given."""
    if not auth.auth or auth.username:
        return auth
    try:
        name, colon, password = base64.b64decode(auth.auth).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise MalformedAuth("auth is not base64 of user:password") from error
    if not colon:
        raise MalformedAuth("auth is not base64 of user:password")
    return msgspec.structs.replace(auth, username=name, password=password.strip("\0"), auth="")


def parse_challenges(headers: Sequence[str]) -> list[Challenge]:
    """Return what WWW-Authenticate headers offer, in order; what cannot be read is left out."""
    found: list[Challenge] = []
    for header in headers:
        rest = header[:_HEADER_LIMIT]
        while match := _SCHEME.match(rest):
            rest = rest[match.end() :]
            parameters: dict[str, str] = {}
            while parameter := _PARAMETER.match(rest):
                rest = rest[parameter.end() :]
                quoted, bare = parameter[2], parameter[3]
                value = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
                parameters.setdefault(parameter[1].lower(), value)
            found.append(Challenge(match[1].lower(), parameters))
            rest = rest.lstrip(" ,\t")
    return found


def basic(auth: AuthConfig) -> str:
    """Return the Authorization header of a name and a password."""
    pair = f"{auth.username}:{auth.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def check_realm(realm: str, registry_url: str, *, may_be_plain: bool) -> None:
    """Refuse a token server that a registry has no business to send us to.

    That is: no http(s) URL, a user in it, plain http after https, and the machine itself or a
    link-local address (where clouds keep the credentials of machines) unless the registry is there.
    Errors:  Forbidden.
    """
    try:
        target, origin = urlsplit(realm), urlsplit(registry_url)
        host, _ = target.hostname or "", target.port
    except ValueError as error:
        raise Forbidden(f"the registry names a malformed token server: {realm[:200]!r}") from error
    if target.scheme not in {"http", "https"} or not host or target.username is not None:
        raise Forbidden(f"the registry names a malformed token server: {realm[:200]!r}")
    if target.scheme == "http" and origin.scheme == "https" and not may_be_plain:
        raise Forbidden(f"refusing to send credentials to {host} without TLS")
    if is_inward(host) and not is_inward(origin.hostname or ""):
        raise Forbidden(f"refusing the token server {host}: it is an address of this machine")


def is_inward(host: str) -> bool:
    """Tell whether a host is this machine or link-local, as far as its name tells."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.isdecimal() or host.lower().startswith("0x")
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_link_local or mapped.is_unspecified)


def token_query(challenge: Challenge, scope: str, auth: AuthConfig | None) -> str:
    """Return the query string of a GET for a token."""
    fields = [("account", auth.username)] if auth is not None and auth.username else []
    fields += [("scope", each) for each in _scopes(challenge, scope)]
    if service := challenge.parameters.get("service"):
        fields.append(("service", service))
    return urlencode(fields)


def refresh_form(challenge: Challenge, scope: str, refresh_token: str) -> dict[str, str]:
    """Return the form of an OAuth2 POST for a token, by a refresh token."""
    return {
        "grant_type": "refresh_token",
        "service": challenge.parameters.get("service", ""),
        "client_id": "skep",
        "scope": " ".join(_scopes(challenge, scope)),
        "refresh_token": refresh_token,
    }


def _scopes(challenge: Challenge, scope: str) -> list[str]:
    asked = scope or challenge.parameters.get("scope", "")
    return [asked] if asked else []


def read_token(document: bytes) -> Token:
    """Return the token of a token server's answer. Errors: InvalidArgument."""
    try:
        answer = msgspec.json.decode(document, type=_TokenAnswer)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidArgument(f"the token server's answer is malformed: {error}") from error
    value = answer.token or answer.access_token or ""
    if not value or not value.isascii() or not value.isprintable():
        raise InvalidArgument("the token server's answer has no usable token")
    life_s = answer.expires_in or _DEFAULT_LIFE_S
    return Token(value, min(max(life_s, 0), _MAX_LIFE_S), answer.refresh_token or "")
