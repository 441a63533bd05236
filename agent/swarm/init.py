"""Make a swarm of this one machine, or take an old one over without its other managers."""

from __future__ import annotations

import msgspec

from agent.core.addresses import Addresses, choose
from agent.core.node_state import NodeState, first_state
from agent.swarm.beginning import Create, Resume
from agent.swarm.env import SwarmEnv
from agent.swarm.leave import forget
from agent.swarm.node import Node
from api.errors import SkepError
from api.swarm_errors import AlreadyInSwarm, NotManager
from api.types.nodes import NodeDescription
from api.types.swarm import SwarmInitRequest


class InitOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What the manager reads at an init: JSON of this.

    `Backup` is the path of a backup to begin with, and `BackupKey` opens it.
    """

    Request: SwarmInitRequest
    Description: NodeDescription
    Backup: str = ""
    BackupKey: str = ""


async def init(
    env: SwarmEnv, request: SwarmInitRequest, *, backup: str = "", backup_key: str = ""
) -> str:
    """Return the id of the node that is the new swarm's only manager, once it serves.

    Errors:  AlreadyInSwarm, BadAddress and its kin, what the manager refuses in the spec, the
             failure of the manager; nothing is left then.
    """
    async with env.membership.lock:
        old = env.membership.node
        if old is not None and not request.ForceNewCluster:
            raise AlreadyInSwarm
        addresses = choose(
            await env.machine(), request.ListenAddr, request.AdvertiseAddr, request.DataPathAddr
        )
        if old is not None:
            return await _take_over(env, old, addresses)
        orders = InitOrders(
            Request=request,
            Description=await env.describe(),
            Backup=backup,
            BackupKey=backup_key,
        )
        await env.file.clear()
        node = await env.new_node(first_state(addresses))
        env.membership.error = ""
        env.membership.node = node
        node.start(Create(msgspec.json.encode(orders)))
        try:
            await node.ready()
        except BaseException:
            await forget(env, node)
            raise
        return node.node_id


async def _take_over(env: SwarmEnv, old: Node, addresses: Addresses) -> str:
    """Let the local manager go on as the only one; when that fails it is as it was."""
    if not old.standing.is_manager:
        raise NotManager
    await old.stop()
    fresh: NodeState = msgspec.structs.replace(
        first_state(addresses), data_path=addresses.data_path or old.state.data_path
    )
    node = await env.new_node(fresh)
    env.membership.node = node
    node.start(Resume(force_new_cluster=True))
    try:
        await node.ready()
    except SkepError:
        await node.stop()
        env.membership.node = await env.new_node(old.state)
        env.membership.node.start(Resume())
        raise
    return node.node_id
