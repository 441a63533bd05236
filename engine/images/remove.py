"""Remove an image, or only a name of it."""

from __future__ import annotations

from api.references import Reference, parse_normalized
from api.types.images import ImageDeleteItem
from engine.core.image_removal import Use, plan_removal
from engine.images.env import ImagesEnv
from engine.images.record import ImageRecord
from engine.images.release import release
from engine.images.tell import tell


async def remove(env: ImagesEnv, ref: str, *, force: bool = False) -> list[ImageDeleteItem]:
    """Take a name from an image, and delete it with its layers when nothing holds it any more.

    Errors:  NoSuchImage, Conflict (in use, several names).
    """
    image = env.store.resolve(ref)
    by_id = image.id.removeprefix("sha256:").startswith(ref.removeprefix("sha256:"))
    names = [parse_normalized(each) for each in env.store.references(image.id)]
    plan = plan_removal(
        ref,
        image.id,
        names,
        [Use(use.container_id, use.running) for use in env.uses() if use.image_id == image.id],
        force=force,
        by_id=by_id,
        named=None if by_id else _named(env, ref),
    )
    done = [ImageDeleteItem(Untagged=name.familiar) for name in plan.untag]
    if not plan.delete:
        await env.store.untag([str(name) for name in plan.untag])
        for _ in plan.untag:
            tell(env, "untag", image)
        return done
    return done + await delete_image(env, image, len(plan.untag))


async def delete_image(env: ImagesEnv, image: ImageRecord, names: int) -> list[ImageDeleteItem]:
    """Delete an image with all its names, its layers and blobs; say what went."""
    layers = image.chain_ids[::-1]
    unused = [chain for chain in layers if not _elsewhere(env, image, chain)]
    await env.store.drop(image.id, unused)
    for _ in range(names):
        tell(env, "untag", image)
    tell(env, "delete", image)
    gone = await release(env, image.blobs, unused)
    return [ImageDeleteItem(Deleted=each) for each in (image.id, *gone)]


def _elsewhere(env: ImagesEnv, image: ImageRecord, chain: str) -> bool:
    if env.store.is_held(chain):
        return True
    return any(chain in each.chain_ids for each in env.store.all() if each.id != image.id)


def _named(env: ImagesEnv, ref: str) -> Reference:
    """Return the stored reference that a name means; the digest counts where both are given."""
    reference = parse_normalized(ref)
    if reference.digest and env.store.target(f"{reference.name}@{reference.digest}"):
        return reference.bare().with_digest(reference.digest)
    return reference.with_default_tag()
