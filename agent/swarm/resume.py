"""Be the node of before again, after a restart of the daemon."""

from __future__ import annotations

import structlog

from agent.swarm.beginning import Resume
from agent.swarm.env import SwarmEnv
from api.errors import SkepError

log = structlog.get_logger(__name__)


async def resume(env: SwarmEnv) -> None:
    """Begin where the node was in a swarm; returns before it is whole, and never fails.

    What cannot be read is told by `docker info`. What a founding or a leaving left half made is
    removed.
    """
    async with env.membership.lock:
        try:
            state = await env.file.load()
            if state is None:
                await env.file.clear()
                return
            node = await env.new_node(state)
        except SkepError as error:
            log.exception("swarm.not_resumed")
            env.membership.error = error.message
            return
        env.membership.node = node
        node.start(Resume())
