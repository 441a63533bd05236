"""What registries refuse with, in the words that Docker passes on.

Source:  OCI distribution spec, "Error Codes".
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from api.errors import Internal, NotFound, SkepError, Unauthenticated
from api.references import Reference

_TEXT_LIMIT = 1000


class RegistryUnreachable(Internal):
    """No answer from the registry: refused, unknown host, TLS, time out."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f'Get "{url}": {reason}')


class RegistryRefused(Internal):
    """The registry answered with an error of its own."""


class RegistryBusy(RegistryRefused):
    """The registry cannot answer now; worth another try."""


class NoCredentials(Internal):
    """The registry wants a name and a password, and there are none."""

    def __init__(self, url: str) -> None:
        super().__init__(f'Get "{url}": no basic auth credentials')


class ManifestUnknown(NotFound):
    """The repository has no such tag or digest."""

    def __init__(self, reference: Reference, cause: str) -> None:
        super().__init__(f"manifest for {reference.familiar} not found: {cause}")


class RepositoryUnknown(NotFound):
    """The registry has no such repository."""

    def __init__(self, reference: Reference, cause: str) -> None:
        super().__init__(f"repository {reference.familiar_name} not found: {cause}")


class PullDenied(NotFound):
    """The repository is not for us, or is not at all: registries do not tell which."""

    def __init__(self, reference: Reference, cause: str) -> None:
        super().__init__(
            f"pull access denied for {reference.familiar_name}, repository does not exist or "
            f"may require 'docker login': {cause}"
        )


class LoginFailed(Unauthenticated):
    """The registry does not take these credentials."""

    def __init__(self, url: str, status: str) -> None:
        super().__init__(f"login attempt to {url} failed with status: {status}")


class _Item(Struct):
    code: str = "UNKNOWN"
    message: str | None = None


class _Body(Struct):
    errors: list[_Item] | None = None


def registry_error(reference: Reference, status: int, url: str, body: bytes) -> SkepError:
    """Return the error for an answer that is one; `body` may be cut short."""
    code, cause = _first(body)
    match code:
        case "MANIFEST_UNKNOWN":
            return ManifestUnknown(reference, cause)
        case "NAME_UNKNOWN":
            return RepositoryUnknown(reference, cause)
        case "DENIED":
            return PullDenied(reference, cause)
        case "":
            return _by_status(reference, status, url, body)
        case _:
            return RegistryRefused(cause)


def push_error(status: int, url: str, body: bytes) -> SkepError:
    """Return the error for an answer to a push that is one; `body` may be cut short."""
    code, cause = _first(body)
    if status >= 500 or status == 429:
        return RegistryBusy(cause or f'received unexpected HTTP status {status} of "{url}"')
    if code:
        return RegistryRefused(cause)
    match status:
        case 401:
            return RegistryRefused("unauthorized: authentication required")
        case 403:
            return RegistryRefused("denied: requested access to the resource is denied")
        case _:
            text = body[:_TEXT_LIMIT].decode(errors="replace").strip()
            return RegistryRefused(f'received unexpected HTTP status {status} of "{url}": {text}')


def _by_status(reference: Reference, status: int, url: str, body: bytes) -> SkepError:
    match status:
        case 401:
            return RegistryRefused("unauthorized: authentication required")
        case 403:
            return PullDenied(reference, "denied: requested access to the resource is denied")
        case 404:
            return ManifestUnknown(reference, "manifest unknown: manifest unknown")
        case 429:
            return RegistryRefused("toomanyrequests: You have reached your pull rate limit.")
        case _:
            kind = RegistryBusy if status >= 500 else RegistryRefused
            text = body[:_TEXT_LIMIT].decode(errors="replace").strip()
            return kind(f'received unexpected HTTP status {status} of "{url}": {text}')


def _first(body: bytes) -> tuple[str, str]:
    """Return (code, "words of the code: message") of the first error; ("", "") without one."""
    try:
        items = msgspec.json.decode(body, type=_Body).errors or []
    except (msgspec.MsgspecError, RecursionError):
        return "", ""
    if not items:
        return "", ""
    words = items[0].code.lower().replace("_", " ")
    message = items[0].message or words
    return items[0].code, f"{words}: {message}"[:_TEXT_LIMIT]
