"""What clients hear of this node's place in a swarm."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from agent.core.addresses import split
from agent.core.standing import has_control, local_state, ping_header
from agent.ports.manager_api import ManagerApi, Outgoing, fetch
from agent.swarm.env import Membership
from api.errors import SkepError
from api.swarm_errors import NoLeader
from api.types.swarm import PeerNode, SwarmInfo

_MANAGER_TIMEOUT_S = 3.0
_LEADER_TIMEOUT_S = 1.5


@dataclass(frozen=True, slots=True)
class SwarmView:
    """Fulfils the engine's `Cluster`."""

    membership: Membership
    manager: ManagerApi

    def ping_state(self) -> str:
        """Return what the `Swarm` header of GET /_ping says."""
        return ping_header(self.membership.standing)

    async def info(self) -> SwarmInfo:
        """Return the node's place; what only managers know is asked of the local one."""
        standing = self.membership.standing
        node = self.membership.node
        if node is None:
            return SwarmInfo(LocalNodeState=local_state(standing), Error=standing.error)
        managers = sorted(
            (PeerNode(each.node_id, each.address) for each in node.state.managers),
            key=lambda each: each.NodeID,
        )
        seen = SwarmInfo(
            NodeID=node.node_id,
            NodeAddr=split(node.state.advertise, 0)[0],
            LocalNodeState=local_state(standing),
            ControlAvailable=has_control(standing),
            Error=standing.error,
            RemoteManagers=managers or None,
        )
        return await self._with_cluster(seen) if has_control(standing) else seen

    async def _with_cluster(self, seen: SwarmInfo) -> SwarmInfo:
        try:
            async with asyncio.timeout(_MANAGER_TIMEOUT_S):
                reply = await fetch(self.manager, Outgoing(b"GET", b"/info"))
                obstacle = await self._obstacle()
            if reply.status != 200:
                return msgspec.structs.replace(seen, Error=_message(reply.body))
            known = msgspec.json.decode(reply.body, type=SwarmInfo)
        except (SkepError, TimeoutError, msgspec.MsgspecError) as error:
            return msgspec.structs.replace(seen, Error=str(error) or "the manager does not answer")
        return msgspec.structs.replace(
            seen,
            Nodes=known.Nodes,
            Managers=known.Managers,
            Cluster=known.Cluster,
            Error=seen.Error or known.Error or obstacle,
            Warnings=known.Warnings,
        )

    async def _obstacle(self) -> str:
        """Return what keeps the manager from serving: one that is long silent finds no leader."""
        try:
            async with asyncio.timeout(_LEADER_TIMEOUT_S):
                ready = await fetch(self.manager, Outgoing(b"GET", b"/health/ready"))
        except TimeoutError:
            return NoLeader().message
        return "" if ready.status == 200 else _message(ready.body)


def _message(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["message"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        return body.decode("utf-8", "replace")[:200]
