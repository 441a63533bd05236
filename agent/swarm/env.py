"""What the verbs on the swarm need, and where the node of now is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agent.core.addresses import Machine
from agent.core.node_state import NodeState
from agent.core.standing import Standing
from agent.ports.manager_api import ManagerApi
from agent.ports.node_file import NodeFile
from agent.swarm.node import Node
from api.types.nodes import NodeDescription
from engine.ports.clock import Clock


class Membership:
    """The node while this machine is in a swarm; verbs that change it hold the lock."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.node: Node | None = None
        # Why the node of before the restart could not be resumed.
        self.error = ""

    @property
    def standing(self) -> Standing:
        """The node's place as it is now."""
        if self.node is not None:
            return self.node.standing
        return Standing(in_swarm=bool(self.error), error=self.error)


@dataclass(frozen=True, slots=True)
class SwarmEnv:
    """The ports of the verbs.

    `machine` lists addresses as they are now, `describe` tells of the node, `new_node` makes the
    node of a state, and `remove_tasks` removes the containers that a node of this id ran, or those
    of all nodes for "", and what else the swarm had here; what cannot be removed is logged.
    `join_timeout_s` is how long a client waits for a join.
    """

    membership: Membership
    file: NodeFile
    manager: ManagerApi
    clock: Clock
    machine: Callable[[], Awaitable[Machine]]
    describe: Callable[[], Awaitable[NodeDescription]]
    new_node: Callable[[NodeState], Awaitable[Node]]
    remove_tasks: Callable[[str], Awaitable[None]]
    join_timeout_s: float = 20.0
