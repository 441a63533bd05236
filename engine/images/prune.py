"""Remove images that nobody uses."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from api.errors import InvalidArgument
from api.references import parse_normalized
from api.types.images import ImageDeleteItem, ImagesPruneReport
from engine.core.image_filters import ImageFacts, matches_age, matches_labels, wants_dangling
from engine.images.env import ImagesEnv
from engine.images.remove import delete_image

_KNOWN = {"dangling", "until", "label", "label!"}


async def prune(env: ImagesEnv, wanted: Mapping[str, Collection[str]]) -> ImagesPruneReport:
    """Delete unused images: untagged ones, with dangling=false all.

    Errors:  InvalidArgument for a filter that there is not.
    """
    unknown = sorted(set(wanted) - _KNOWN)
    if unknown:
        raise InvalidArgument(f"invalid filter '{unknown[0]}'")
    everything = wants_dangling(wanted) is False
    used = {use.image_id for use in env.uses()}
    done: list[ImageDeleteItem] = []
    reclaimed = 0
    for image in env.store.all():
        names = [parse_normalized(each) for each in env.store.references(image.id)]
        is_dangling = not any(each.tag for each in names)
        facts = ImageFacts(image.created, image.config.Labels or {})
        if image.id in used or env.store.is_held(image.id) or not (is_dangling or everything):
            continue
        if not matches_labels(facts, wanted) or not matches_age(facts, wanted, env.clock.now_ns()):
            continue
        sizes = {
            chain: layer.size for chain in image.chain_ids if (layer := env.store.layer(chain))
        }
        items = [ImageDeleteItem(Untagged=name.familiar) for name in names]
        items += await delete_image(env, image, len(names))
        reclaimed += sum(sizes.get(item.Deleted, 0) for item in items)
        done += items
    env.events.publish("image", "prune", "", {"reclaimed": str(reclaimed)})
    return ImagesPruneReport(done or None, reclaimed)
