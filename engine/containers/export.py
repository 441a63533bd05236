"""Export the tree of a container as a tar, without what is mounted on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from engine.containers.env import ContainersEnv
from engine.containers.notify import notify
from engine.containers.tree_view import LentChunks, lend


async def export(env: ContainersEnv, ref: str) -> AsyncIterator[bytes]:
    """Return the tar. Errors: NoSuchContainer, NoTree."""
    record = env.store.resolve(ref)
    chunks, stack = await lend(env, record, env.host.insight.trees.pack_tree, mounts=False)
    notify(env, record, "export")
    return LentChunks(chunks, stack)
