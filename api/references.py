"""Image names: their grammar, their defaults, and the short form that people read.

Source: the grammar of the distribution project's `reference` package, which the docker command
and all registries follow.
"""

from __future__ import annotations

import re
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from api.errors import InvalidArgument

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
_LEGACY_DOMAIN = "index.docker.io"
_OFFICIAL = "library"
_PATH_LIMIT = 255
_TEXT_LIMIT = 4096

_COMPONENT = r"[a-z0-9]+(?:(?:__|[._]|-+)[a-z0-9]+)*"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(
    rf"(?P<domain>{_DOMAIN})/(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    rf"(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?"
)
_WHOLE_TAG = re.compile(_TAG)
_WHOLE_DIGEST = re.compile(_DIGEST)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")
_LOWER_HEX = re.compile(r"[a-f0-9]+")
DIGEST_HEX_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


class InvalidReference(InvalidArgument):
    """The text is not an image name."""

    def __init__(self, message: str = "invalid reference format") -> None:
        super().__init__(message)


class Reference(Struct, frozen=True, order=True):
    """A complete image name: `domain/path[:tag][@digest]`, the domain always present.

    `tag` and `digest` are "" when the name has none; both may be there.
    """

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """The repository: `docker.io/library/busybox`."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_name(self) -> str:
        """The repository as people write it: `busybox`."""
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        first, _, rest = self.path.partition("/")
        return rest if first == _OFFICIAL and rest and "/" not in rest else self.path

    @property
    def familiar(self) -> str:
        """The whole name as people write it: `busybox:latest`."""
        return self.familiar_name + self._suffix()

    def __str__(self) -> str:
        return self.name + self._suffix()

    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{tag}@{self.digest}" if self.digest else tag

    def with_default_tag(self) -> Self:
        """Return the name with `latest` if it has neither tag nor digest."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    def with_tag(self, tag: str) -> Self:
        """Return the name with this tag. Errors: InvalidReference ("invalid tag format")."""
        if not _WHOLE_TAG.fullmatch(tag):
            raise InvalidReference("invalid tag format")
        return replace(self, tag=tag)

    def with_digest(self, digest: str) -> Self:
        """Return the name with this digest. Errors: InvalidReference."""
        return replace(self, digest=check_digest(digest))

    def bare(self) -> Self:
        """Return the repository alone."""
        return replace(self, tag="", digest="")


def parse_normalized(text: str) -> Reference:
    """Return the complete name that a familiar one stands for; tag and digest only if given.

    Errors:  InvalidReference, in the words that the docker command shows.
    """
    if _IDENTIFIER.fullmatch(text):
        raise InvalidReference(
            f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
        )
    domain, rest = _split_domain(text)
    repository = rest.partition(":")[0]
    if repository.lower() != repository:
        raise InvalidReference(
            f"invalid reference format: repository name ({repository}) must be lowercase"
        )
    parts = _REFERENCE.fullmatch(f"{domain}/{rest}") if len(text) <= _TEXT_LIMIT else None
    if parts is None:
        raise InvalidReference
    if len(parts["path"]) > _PATH_LIMIT:
        raise InvalidReference(f"repository name must not be more than {_PATH_LIMIT} characters")
    digest = check_digest(parts["digest"]) if parts["digest"] else ""
    return Reference(parts["domain"], parts["path"], parts["tag"] or "", digest)


def _split_domain(text: str) -> tuple[str, str]:
    """Tell the registry's domain from the rest, with `docker.io` and `library/` filled in."""
    first, slash, remainder = text.partition("/")
    is_domain = "." in first or ":" in first or first == "localhost" or first.lower() != first
    if slash and is_domain:
        domain, rest = first, remainder
    else:
        domain, rest = DEFAULT_DOMAIN, text
    if domain == _LEGACY_DOMAIN:
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in rest:
        rest = f"{_OFFICIAL}/{rest}"
    return domain, rest


def check_digest(text: str) -> str:
    """Return the digest if it is one: `algorithm:hex`, lower case, of the right length.

    Errors:  InvalidReference, in the words that the docker command shows.
    """
    if not _WHOLE_DIGEST.fullmatch(text):
        raise InvalidReference("invalid checksum digest format")
    algorithm, _, digits = text.partition(":")
    length = DIGEST_HEX_LENGTHS.get(algorithm)
    if length is None:
        raise InvalidReference("unsupported digest algorithm")
    if len(digits) != length:
        raise InvalidReference("invalid checksum digest length")
    if not _LOWER_HEX.fullmatch(digits):
        raise InvalidReference("invalid checksum digest format")
    return text


def is_digest(text: str) -> bool:
    """Tell whether the text is a digest."""
    try:
        check_digest(text)
    except InvalidReference:
        return False
    return True
