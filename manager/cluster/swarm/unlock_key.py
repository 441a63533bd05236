"""Show the key that managers need after a restart."""

from __future__ import annotations

from api.types.swarm import UnlockKeyResponse
from manager.cluster.env import ClusterEnv
from manager.cluster.swarm.state import the_cluster
from protos.identity.tokens import unlock_key_text


async def show_unlock_key(env: ClusterEnv) -> UnlockKeyResponse:
    """Return the unlock key; "" while managers do not lock."""
    key = the_cluster(env.store.view().clusters).unlock_key
    env.note_key_shown()
    return UnlockKeyResponse(UnlockKey=unlock_key_text(key) if key else "")
