"""Join a swarm that exists, in the role that the token gives."""

from __future__ import annotations

import asyncio

from agent.core.addresses import choose, remote
from agent.core.node_state import PendingJoin, first_state
from agent.swarm.beginning import Join
from agent.swarm.env import SwarmEnv
from agent.swarm.leave import forget
from api.errors import InvalidArgument
from api.swarm_errors import AlreadyInSwarm, JoinTimedOut
from api.types.nodes import NodeAvailability
from api.types.swarm import SwarmJoinRequest


async def join(env: SwarmEnv, request: SwarmJoinRequest) -> None:
    """Return when this node is a member, and serves where it is a manager.

    Errors:  AlreadyInSwarm, BadAddress and its kin, InvalidArgument; what the managers answer, and
             nothing is left then; JoinTimedOut, and the join goes on.
    """
    async with env.membership.lock:
        if env.membership.node is not None:
            raise AlreadyInSwarm
        _check(request)
        remotes = tuple(map(remote, request.RemoteAddrs))
        addresses = choose(
            await env.machine(), request.ListenAddr, request.AdvertiseAddr, request.DataPathAddr
        )
        await env.file.clear()
        state = first_state(
            addresses,
            PendingJoin(
                remotes=remotes, token=request.JoinToken, availability=request.Availability
            ),
        )
        await env.file.save(state)
        node = await env.new_node(state)
        env.membership.error = ""
        env.membership.node = node
        node.start(Join())
        try:
            async with asyncio.timeout(env.join_timeout_s):
                await node.ready()
        except TimeoutError as error:
            raise JoinTimedOut from error
        except BaseException:
            await forget(env, node)
            raise


def _check(request: SwarmJoinRequest) -> None:
    if not request.RemoteAddrs:
        raise InvalidArgument("at least 1 RemoteAddr is required to join")
    if request.Availability and request.Availability not in set(NodeAvailability):
        raise InvalidArgument(f'invalid Availability: "{request.Availability}"')
