"""Give an image another name."""

from __future__ import annotations

from msgspec.structs import replace

from api.errors import InvalidArgument
from api.references import parse_normalized
from engine.images.env import ImagesEnv
from engine.images.tell import tell


async def tag(env: ImagesEnv, ref: str, repository: str, tag_name: str) -> None:
    """Let `repository:tag_name` name the image of `ref`; it names no other from now on.

    Errors:  NoSuchImage, InvalidArgument.
    """
    image = env.store.resolve(ref)
    target = parse_normalized(repository)
    if target.digest:
        raise InvalidArgument("refusing to create a tag with a digest reference")
    if tag_name:
        target = target.with_tag(tag_name)
    target = target.with_default_tag()
    await env.store.tag(str(target), replace(image, tagged_ns=env.clock.now_ns()))
    tell(env, "tag", image, target.familiar)
