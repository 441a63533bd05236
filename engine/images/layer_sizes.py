"""Tell what layers take on disk."""

from __future__ import annotations

from engine.images.env import ImagesEnv


def layer_sizes(env: ImagesEnv) -> tuple[int, int]:
    """Return the bytes of all layers, and of those under images that containers have."""
    in_use = {use.image_id for use in env.uses()}
    chains = {chain for image in env.store.all() if image.id in in_use for chain in image.chain_ids}
    sizes = {layer.chain_id: layer.size for layer in env.store.layer_records()}
    return sum(sizes.values()), sum(size for chain, size in sizes.items() if chain in chains)
