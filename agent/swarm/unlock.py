"""Give a locked manager its key."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec

from agent.core.standing import ManagerPhase, refusal
from agent.ports.manager_api import Outgoing, fetch
from agent.swarm.env import SwarmEnv
from agent.swarm.leave import Refused
from api.swarm_errors import NotManager, SwarmNotLocked
from api.types.swarm import SwarmUnlockRequest

# How long a client waits for the manager to find its quorum again.
_QUORUM_TIMEOUT_S = 3.0


async def unlock(env: SwarmEnv, request: SwarmUnlockRequest) -> None:
    """Return when the manager serves with its data opened.

    Errors:  SwarmNotLocked; why there is no manager to unlock; InvalidUnlockKey as the manager
             answers it.
    """
    async with env.membership.lock:
        node = env.membership.node
        if node is None:
            raise NotManager
        if node.standing.manager is not ManagerPhase.LOCKED:
            raise refusal(node.standing) or SwarmNotLocked()
        body = msgspec.json.encode(request)
        headers = [(b"content-type", b"application/json")]
        reply = await fetch(env.manager, Outgoing(b"POST", b"/swarm/unlock", headers, body))
        if reply.status >= 400:
            raise Refused(reply.status, reply.body)
        await node.unlocked(request.UnlockKey)
        # It is open; the others may be locked still, and there is no quorum without them.
        with suppress(TimeoutError):
            async with asyncio.timeout(_QUORUM_TIMEOUT_S):
                await node.ready()
