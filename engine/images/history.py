"""Show how an image was made."""

from __future__ import annotations

from api.references import parse_normalized
from api.types.images import ImageHistoryItem
from engine.core.image_config import History, read_config
from engine.core.image_filters import ImageFacts
from engine.core.manifest import Platform
from engine.images.env import ImagesEnv
from engine.images.inspect import check_platform
from engine.images.record import ImageRecord

_MISSING = "<missing>"
_SECOND_NS = 1_000_000_000


def history(env: ImagesEnv, ref: str, platform: Platform | None = None) -> list[ImageHistoryItem]:
    """Return the steps, the last first; only the last has an id.

    Errors:  NoSuchImage; NotFound when it is for another platform than asked for.
    """
    image = env.store.resolve(ref)
    check_platform(image, ref, *filter(None, [platform]))
    config = read_config(env.blobs.read(image.id))
    sizes = iter([_size(env, chain) for chain in image.chain_ids])
    rows = [_row(step, next(sizes, 0)) if not step.empty_layer else _row(step, 0)
            for step in config.history]  # fmt: skip
    rows += [_row(History(created=config.created), size) for size in sizes]
    rows.reverse()
    if not rows:
        rows = [_row(History(created=config.created), 0)]
    return [_head(env, image, rows[0]), *rows[1:]]


def _row(step: History, size: int) -> ImageHistoryItem:
    return ImageHistoryItem(
        Comment=step.comment,
        Created=ImageFacts(step.created, {}).created_ns // _SECOND_NS,
        CreatedBy=step.created_by,
        Id=_MISSING,
        Size=size,
        Tags=None,
    )


def _head(env: ImagesEnv, image: ImageRecord, row: ImageHistoryItem) -> ImageHistoryItem:
    names = [parse_normalized(each) for each in env.store.references(image.id)]
    tags = [each.familiar for each in names if each.tag]
    return ImageHistoryItem(
        Comment=row.Comment, Created=row.Created, CreatedBy=row.CreatedBy, Size=row.Size,
        Id=image.id, Tags=tags or None,
    )  # fmt: skip


def _size(env: ImagesEnv, chain: str) -> int:
    layer = env.store.layer(chain)
    return layer.size if layer else 0
