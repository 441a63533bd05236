"""Bring one layer of a pull here: download, verify, unpack, and tell of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from api.errors import InvalidArgument
from api.ids import short_id
from api.references import Reference
from api.types.registry import AuthConfig
from engine.core.manifest import Descriptor
from engine.core.pull_plan import LayerPlan
from engine.images.env import ImagesEnv
from engine.images.feed import Bar, ProgressFeed
from engine.images.register import LayerBlob, unpack_layer
from engine.images.transfers import Report
from engine.ports.storage import Layer


async def fetch_layer(
    env: ImagesEnv,
    reference: Reference,
    plan: LayerPlan,
    auth: AuthConfig | None,
    feed: ProgressFeed,
) -> Layer:
    """Return the layer, unpacked; its blob is in the store.

    Errors:  InvalidArgument (wrong digest), and what the registry and the unpacking raise.
    """
    item = short_id(plan.blob.digest)
    if not env.blobs.has(plan.blob.digest):
        bar = Bar(feed, item, plan.blob.size, "Downloading", last="Verifying Checksum")
        await env.transfers.share(plan.blob.digest, _download(env, reference, plan.blob, auth), bar)
    feed.step("Download complete", item)

    def extracting(count: int) -> None:
        feed.move("Extracting", item, count, plan.blob.size)

    blob = LayerBlob(plan.blob.digest, plan.diff_id)
    layer = await unpack_layer(env, plan.parent, blob, extracting)
    feed.step("Pull complete", item)
    return layer


def _download(
    env: ImagesEnv, reference: Reference, blob: Descriptor, auth: AuthConfig | None
) -> Callable[[Report], Awaitable[None]]:
    """Return the work of one transfer.

    A resumed download that proves wrong is done once more from its beginning: what an earlier
    one had left behind may have been damaged.
    """

    async def work(report: Report) -> None:
        path, resumed_at = env.blobs.partial(blob.digest)
        await env.registry.download(reference, blob, auth, path, report)
        try:
            await env.blobs.commit_partial(blob.digest, blob.size)
        except InvalidArgument:
            if resumed_at == 0:
                raise
            await work(report)

    return work
