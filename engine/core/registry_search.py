"""Searching a registry: what to ask which one, and what its answer says.

Source:  the registry API's version 1, `GET /v1/search`, which Docker Hub and a few others have;
version 2 knows no search.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlencode

import msgspec
from msgspec import Struct, field

from api.errors import InvalidArgument, Unsupported
from api.references import DEFAULT_DOMAIN

_DEFAULT_LIMIT = 25
_LIMIT = 100
_FILTERS = frozenset({"is-automated", "is-official", "stars"})


class NoSearch(Unsupported):
    """The registry has no search."""

    def __init__(self, domain: str, status: int) -> None:
        super().__init__(
            f"registry {domain} has no search (it answered {status} to /v1/search): list its "
            "repositories by its own means, such as /v2/_catalog"
        )


class SearchResult(Struct, frozen=True):
    """One repository that was found."""

    star_count: int = 0
    is_official: bool = False
    name: str = ""
    is_automated: bool = False
    description: str = ""


class _Answer(Struct):
    results: list[SearchResult] | None = field(default=None)


def split_term(term: str) -> tuple[str, str]:
    """Return (domain, term) of what a user searches for: `host:5000/words` or `words`.

    Errors:  InvalidArgument.
    """
    if not term:
        raise InvalidArgument("invalid search term: it is empty")
    if "://" in term:
        raise InvalidArgument(f"invalid repository name: repository name ({term}) has a scheme")
    first, slash, rest = term.partition("/")
    is_domain = "." in first or ":" in first or first == "localhost"
    if not slash or not is_domain:
        return DEFAULT_DOMAIN, term
    domain = DEFAULT_DOMAIN if first in {"index.docker.io", "docker.io"} else first
    return domain, rest.removeprefix("library/") if domain == DEFAULT_DOMAIN else rest


def search_query(term: str, limit: int) -> str:
    """Return the query string. Errors: InvalidArgument when the limit is out of range."""
    if not 0 <= limit <= _LIMIT:
        raise InvalidArgument(f"limit {limit} is outside the range of [1, {_LIMIT}]")
    return urlencode({"q": term, "n": limit or _DEFAULT_LIMIT})


def read_results(document: bytes) -> list[SearchResult]:
    """Return what a registry found. Errors: InvalidArgument."""
    try:
        return msgspec.json.decode(document, type=_Answer).results or []
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidArgument(f"the registry's answer is malformed: {error}") from error


def check_filters(wanted: Mapping[str, Collection[str]]) -> None:
    """Refuse filters that there are not, and values that they do not take.

    Errors:  InvalidArgument.
    """
    unknown = sorted(set(wanted) - _FILTERS)
    if unknown:
        raise InvalidArgument(f"invalid filter '{unknown[0]}'")
    for key in ("is-automated", "is-official"):
        for value in wanted.get(key, ()):
            if value.lower() not in {"true", "false", "1", "0"}:
                raise InvalidArgument(f"invalid filter '{key}={[value]}'")
    for value in wanted.get("stars", ()):
        if not value.isdecimal():
            raise InvalidArgument(f"invalid filter 'stars={[value]}'")


def passes(result: SearchResult, wanted: Mapping[str, Collection[str]]) -> bool:
    """Tell whether a result is one of those wanted; filters are checked before."""

    def agrees(key: str, *, fact: bool) -> bool:
        return all(fact is (value.lower() in {"true", "1"}) for value in wanted.get(key, ()))

    return (
        agrees("is-automated", fact=result.is_automated)
        and agrees("is-official", fact=result.is_official)
        and all(result.star_count >= int(value) for value in wanted.get("stars", ()))
    )
