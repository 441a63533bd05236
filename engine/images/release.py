"""Free the blobs and layers that nothing stands on any more."""

from __future__ import annotations

from collections.abc import Iterable

from engine.images.env import ImagesEnv


async def release(env: ImagesEnv, digests: Iterable[str], chain_ids: Iterable[str]) -> list[str]:
    """Delete those of the blobs and layers that no image, container or running verb needs.

    Returns the chain ids of the layers that went, in the order given.
    """
    used_chains = env.store.chains_in_use()
    gone = []
    for chain in dict.fromkeys(chain_ids):
        with env.store.chain_lock(chain) as lock:
            async with lock:
                if chain in used_chains or env.store.is_held(chain):
                    continue
                if await env.snapshotter.remove_layer(chain):
                    env.store.forget_layer(chain)
                    gone.append(chain)
    for digest in dict.fromkeys(digests):
        if digest not in env.store.digests_in_use() and not env.store.is_held(digest):
            await env.blobs.delete(digest)
    return gone


async def restore(env: ImagesEnv) -> None:
    """Read the records; delete what a crash left: half-written blobs and layers, and strays."""
    await env.store.load()
    await env.blobs.sweep(env.store.digests_in_use())
    await env.snapshotter.sweep(env.store.chains_in_use())
