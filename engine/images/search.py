"""Search a registry for images."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from api.types.registry import AuthConfig
from engine.core.registry_search import (
    SearchResult,
    check_filters,
    passes,
    search_query,
    split_term,
)
from engine.images.env import ImagesEnv


async def search(
    env: ImagesEnv,
    term: str,
    limit: int,
    wanted: Mapping[str, Collection[str]],
    auth: AuthConfig | None,
) -> list[SearchResult]:
    """Return what Docker Hub, or the registry named before the first slash, finds.

    `limit` 0 leaves it to us.
    Errors:  InvalidArgument, NoSearch (the registry has none), Internal (no answer, refused).
    """
    check_filters(wanted)
    domain, words = split_term(term)
    found = await env.registry.search(domain, search_query(words, limit), auth)
    return [result for result in found if passes(result, wanted)]
