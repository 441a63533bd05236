"""A manager leaves the cluster: what has to be said, and done, before it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog
from msgspec.structs import replace

from api.errors import SkepError
from api.swarm_errors import (
    CutOffManagerLeaves,
    LastManagerLeaves,
    ManagerLeaves,
    QuorumLeaves,
)
from api.types.nodes import NodeRole
from manager.cluster.env import ClusterEnv
from manager.core.member import Member
from manager.ports.leadership import Reply, Request

log = structlog.get_logger(__name__)

Ask = Callable[[Request], Awaitable[Reply]]

# How long a leaving manager waits for the others to let it go.
FAREWELL_S = 6.0
_PAUSE_S = 0.05
_JSON = ((b"content-type", b"application/json"),)
_OK = 200


async def leave(env: ClusterEnv, ask: Ask, *, force: bool) -> None:
    """Let this manager go: with `force` it becomes a worker, as far as the others allow it.

    A manager that only stopped would count as one that is missing. Where the others cannot or
    will not let it go, or do not answer within `FAREWELL_S`, it goes nonetheless.
    ask:     how this manager asks the cluster, wherever the leader is.
    Errors:  ManagerLeaves and its kinds, without `force`.
    """
    if not force:
        raise _refusal(await env.members.seen(), env.node_id)
    try:
        async with asyncio.timeout(FAREWELL_S):
            if await _demote(env, ask):
                # The others do not tell a member that is gone: it has to ask.
                while _is_member(env.node_id, await env.members.seen()):  # noqa: ASYNC110
                    await asyncio.sleep(_PAUSE_S)
    except (SkepError, TimeoutError) as error:
        log.warning("leave.without_farewell", reason=str(error))


def _is_member(node_id: str, members: Sequence[Member]) -> bool:
    return any(each.node_id == node_id for each in members)


def _refusal(members: Sequence[Member], own_id: str) -> ManagerLeaves:
    """Return why a manager should not leave, in Docker's words."""
    if not any(each.node_id == own_id and each.is_reachable for each in members):
        return CutOffManagerLeaves()
    reachable = sum(bool(each.is_reachable) for each in members)
    unreachable = len(members) - reachable
    if reachable - 2 > unreachable:
        return ManagerLeaves()
    if len(members) == 1:
        return LastManagerLeaves()
    return QuorumLeaves(reachable - 1, len(members))


async def _demote(env: ClusterEnv, ask: Ask) -> bool:
    """Have this node made a worker; False when the cluster refuses."""
    while True:
        node = env.store.view().nodes.get(env.node_id)
        if node is None:
            return False
        spec = replace(node.spec, Role=NodeRole.WORKER.value)
        reply = await ask(
            Request(
                method="POST",
                path=f"/nodes/{node.id}/update",
                query=b"version=%d" % node.meta.version_index,
                headers=_JSON,
                body=msgspec.json.encode(spec),
            )
        )
        if reply.status == _OK:
            return True
        if b"out of sequence" not in reply.body:
            log.warning("leave.refused", answer=reply.body.decode(errors="replace"))
            return False
        await asyncio.sleep(_PAUSE_S)
