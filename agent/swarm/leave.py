"""Leave the swarm: nothing of it stays on this machine."""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from agent.core.standing import ManagerPhase
from agent.ports.manager_api import Outgoing, fetch
from agent.swarm.env import SwarmEnv
from agent.swarm.node import Node
from api.errors import Internal, SkepError
from api.swarm_errors import CutOffManagerLeaves, LeaveLocked, NotInSwarm

log = structlog.get_logger(__name__)

# The manager itself gives up sooner.
_FAREWELL_S = 10.0


async def leave(env: SwarmEnv, *, force: bool) -> None:
    """Return when node, manager, their files and the node's tasks are gone.

    Errors:  NotInSwarm; without force LeaveLocked, or, for a manager, why that is dangerous.
    """
    async with env.membership.lock:
        node = env.membership.node
        if node is None:
            if not env.membership.error:
                raise NotInSwarm
            await env.remove_tasks("")
            await env.file.clear()
            env.membership.error = ""
            return
        if not force:
            await _check(env, node)
        else:
            await _take_leave(env, node)
        node_id = node.node_id
        await node.stop()
        # First, so that a crash on the way leaves a node that can leave again.
        if node_id:
            await env.remove_tasks(node_id)
        await forget(env, node)


async def forget(env: SwarmEnv, node: Node) -> None:
    """Stop a node and remove what it kept."""
    await node.stop()
    env.membership.node = None
    await env.file.clear()


async def _check(env: SwarmEnv, node: Node) -> None:
    """Let the manager say what would be lost: it knows of the others."""
    standing = node.standing
    if standing.manager is ManagerPhase.LOCKED:
        raise LeaveLocked
    if not standing.is_manager:
        return
    if standing.manager is not ManagerPhase.SERVING:
        raise CutOffManagerLeaves
    reply = await fetch(env.manager, Outgoing(b"POST", b"/swarm/leave?force=0"))
    if reply.status >= 400:
        raise Refused(reply.status, reply.body)


async def _take_leave(env: SwarmEnv, node: Node) -> None:
    """Have the other managers let this one go, so that they do not miss it; or go nonetheless."""
    standing = node.standing
    if not standing.is_manager or standing.manager is not ManagerPhase.SERVING:
        return
    try:
        async with asyncio.timeout(_FAREWELL_S):
            await fetch(env.manager, Outgoing(b"POST", b"/swarm/leave?force=1"))
    except (SkepError, TimeoutError) as error:
        log.warning("swarm.left_without_farewell", reason=str(error))


class Refused(SkepError):
    """What the local manager answered, passed on."""

    def __init__(self, status: int, body: bytes) -> None:
        try:
            message = str(msgspec.json.decode(body)["message"])
        except (msgspec.MsgspecError, KeyError, TypeError):
            raise Internal(f"the manager answered {status}: {body[:200]!r}") from None
        super().__init__(message)
        self.http = status  # type: ignore[misc] # an instance's own status, as it came
