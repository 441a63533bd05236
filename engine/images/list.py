"""List images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from api.errors import InvalidArgument
from api.references import Reference, parse_normalized
from api.types.images import ImageSummary
from engine.core.image_filters import (
    ImageFacts,
    check_keys,
    matches_age,
    matches_labels,
    matches_reference,
    wants_dangling,
)
from engine.images.env import ImagesEnv
from engine.images.manifests import summaries
from engine.images.record import ImageRecord

_NONE_BEFORE = (1, 43)
_VIRTUAL_BEFORE = (1, 44)
_SECOND_NS = 1_000_000_000

Wanted = Mapping[str, Collection[str]]


def list_images(
    env: ImagesEnv,
    wanted: Wanted,
    *,
    shared_size: bool = False,
    manifests: bool = False,
    version: tuple[int, int],
) -> list[ImageSummary]:
    """Return the images that the filters select, the newest first; read from memory.

    Errors:  InvalidArgument (filter), NoSuchImage (before, since).
    """
    check_keys(wanted)
    dangling = wants_dangling(wanted)
    before = _moment(env, wanted, "before")
    since = _moment(env, wanted, "since")
    now_ns = env.clock.now_ns()
    counts = Counter(use.image_id for use in env.uses())
    shared = _shared(env) if shared_size else None
    rows: list[tuple[int, ImageSummary]] = []
    for image in env.store.all():
        facts = ImageFacts(image.created, image.config.Labels or {})
        created = facts.created_ns
        if (before is not None and created >= before) or (since is not None and created <= since):
            continue
        if not matches_labels(facts, wanted) or not matches_age(facts, wanted, now_ns):
            continue
        names = [parse_normalized(each) for each in env.store.references(image.id)]
        kept = [each for each in names if matches_reference(each, wanted.get("reference", ()))]
        if wanted.get("reference") and not kept:
            continue
        has_tag = any(each.tag for each in names)
        if dangling is not None and dangling is has_tag:
            continue
        size = -1 if shared is None else sum(shared.get(chain, 0) for chain in image.chain_ids)
        row = _row(image, kept, created, counts[image.id], size, version)
        if manifests:
            row = replace(row, Manifests=summaries(env, image))
        rows.append((created, row))
    rows.sort(key=lambda row: (-row[0], row[1].Id))
    return [row for _, row in rows]


def listing(env: ImagesEnv, version: tuple[int, int]) -> bytes:
    """Return the list without filters as a line of JSON; from before, if nothing has changed."""
    key = ("listing", version < _NONE_BEFORE, version < _VIRTUAL_BEFORE)
    uses = env.uses()
    made_for, content = env.store.derived.get(key, (None, b""))
    if made_for is not uses:
        content = msgspec.json.encode(list_images(env, {}, version=version)) + b"\n"
        env.store.derived[key] = (uses, content)
    return bytes(content)


def _row(
    image: ImageRecord,
    names: list[Reference],
    created_ns: int,
    containers: int,
    shared_size: int,
    version: tuple[int, int],
) -> ImageSummary:
    tags = [each.familiar for each in names if each.tag and not each.digest]
    digests = [each.familiar for each in names if each.digest]
    if version < _NONE_BEFORE and not names:
        tags, digests = ["<none>:<none>"], ["<none>@<none>"]
    return ImageSummary(
        Containers=containers,
        Created=created_ns // _SECOND_NS,
        Id=image.id,
        Labels=image.config.Labels,
        RepoDigests=digests,
        RepoTags=tags,
        SharedSize=shared_size,
        Size=image.size,
        VirtualSize=image.size if version < _VIRTUAL_BEFORE else UNSET,
    )


def _moment(env: ImagesEnv, wanted: Wanted, key: str) -> int | None:
    values = list(wanted.get(key, ()))
    if len(values) > 1:
        raise InvalidArgument(f"invalid filter '{key}': expected one image")
    return ImageFacts(env.store.resolve(values[0]).created, {}).created_ns if values else None


def _shared(env: ImagesEnv) -> dict[str, int]:
    """Return the sizes of the layers that more than one image stands on, by chain id."""
    counts = Counter(chain for image in env.store.all() for chain in image.chain_ids)
    return {chain: _size(env, chain) for chain in _several(counts)}


def _several(counts: Counter[str]) -> Iterable[str]:
    return (chain for chain, count in counts.items() if count > 1)


def _size(env: ImagesEnv, chain: str) -> int:
    layer = env.store.layer(chain)
    return layer.size if layer else 0
