"""Look at an image in its registry, without pulling it."""

from __future__ import annotations

import asyncio

from msgspec import Struct, field

from api.references import Reference, parse_normalized
from api.types.registry import AuthConfig
from engine.core.image_config import MAX_CONFIG_BYTES, read_config
from engine.core.manifest import Descriptor, Index, Platform, read_manifest
from engine.core.media_types import is_config
from engine.core.pull_plan import check_type
from engine.core.registry_errors import RegistryUnreachable
from engine.images.env import ImagesEnv

LIMIT_S = 20.0
"""A registry has so long to answer: `docker service create` waits for it before it does anything.

Docker gives the first answer 15 seconds; this is for all of them.
"""


class DistributionInspect(Struct, frozen=True):
    """What a name means in its registry, and the platforms that it has images for."""

    descriptor: Descriptor = field(name="Descriptor")
    platforms: list[Platform] = field(name="Platforms")


async def distribution(
    env: ImagesEnv, name: str, auth: AuthConfig | None, limit_s: float = LIMIT_S
) -> DistributionInspect:
    """Return the descriptor of a tag or digest and its platforms.

    Errors:  NotFound, InvalidArgument, Internal (registry unreachable, refusing or too slow).
    """
    reference = parse_normalized(name).with_default_tag()
    try:
        async with asyncio.timeout(limit_s):
            return await _look(env, reference, auth)
    except TimeoutError as error:
        url = f"https://{reference.domain}/v2/{reference.path}/"
        raise RegistryUnreachable(url, f"no answer within {limit_s:g} seconds") from error


async def _look(
    env: ImagesEnv, reference: Reference, auth: AuthConfig | None
) -> DistributionInspect:
    found = await env.registry.manifest(reference, auth)
    manifest = read_manifest(found.document)
    check_type(reference.familiar, found.media_type, manifest)
    media_type = found.media_type or manifest.mediaType
    descriptor = Descriptor(mediaType=media_type, digest=found.digest, size=len(found.document))
    if isinstance(manifest, Index):
        platforms = [each.platform for each in manifest.manifests if each.platform is not None]
    elif is_config(manifest.config.mediaType) and manifest.config.size <= MAX_CONFIG_BYTES:
        config = read_config(await env.registry.read_blob(reference, manifest.config, auth))
        platforms = [
            Platform(os=config.os, architecture=config.architecture, variant=config.variant)
        ]
    else:
        platforms = []
    return DistributionInspect(descriptor, platforms)
