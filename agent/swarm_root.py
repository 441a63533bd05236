"""The root of the daemon's part in a swarm: its verbs, its gateway, and what the engine shows."""

from __future__ import annotations

import asyncio
import importlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from fastapi import FastAPI

from agent import gateway
from agent.adapters.interfaces import list_interfaces
from agent.adapters.manager_http import ManagerHttp
from agent.adapters.manager_process import ManagerProcesses
from agent.adapters.manager_shortcut import ManagerShortcut
from agent.adapters.node_file import DiskNodeFile
from agent.config import DaemonConfig
from agent.core.addresses import Machine
from agent.core.description import describe
from agent.core.node_state import NodeState
from agent.core.standing import refusal
from agent.gateway import GatewayEnv
from agent.networks import NodeNetworks
from agent.routes import networks as network_routes
from agent.routes import swarm as swarm_routes
from agent.swarm.env import Membership, SwarmEnv
from agent.swarm.info import SwarmView
from agent.swarm.node import Node
from api.types.nodes import NodeDescription
from engine.adapters.clock import SystemClock
from engine.engine import Engine
from engine.ports.cluster import NoCluster
from engine.system.info import info


@dataclass(frozen=True, slots=True)
class SwarmPart:
    """What is there before the engine, which shows some of it."""

    config: DaemonConfig
    membership: Membership
    socket: Path
    manager: ManagerHttp

    @property
    def view(self) -> SwarmView:
        """What the engine shows of the swarm."""
        return SwarmView(self.membership, self.manager)

    async def end(self, *, are_tasks_left_running: bool) -> None:
        """Stop node and manager; what is on the disk stays."""
        if self.membership.node is not None:
            if are_tasks_left_running:
                await self.membership.node.pause()
            await self.membership.node.stop()
        self.manager.close()


def prepare(config: DaemonConfig) -> SwarmPart:
    """Return the part of a daemon that is in no swarm yet."""
    socket = config.settings.exec_root / "manager.sock"
    return SwarmPart(config, Membership(), socket, ManagerHttp(socket))


def shortcut(part: SwarmPart) -> ManagerShortcut:
    """Return the short way of requests that are the manager's alone."""
    return ManagerShortcut(
        part.manager, lambda: refusal(part.membership.standing) is None, gateway.PLAIN
    )


def install_networks(part: SwarmPart, app: FastAPI, engine: Engine) -> None:
    """Serve networks on the application, the cluster's beside the node's; before the engine's."""
    networks = engine.containers.networks
    app.state.node_networks = NodeNetworks(networks, lambda: part.membership.standing, part.manager)
    app.include_router(network_routes.router)


def install(part: SwarmPart, app: FastAPI, engine: Engine) -> SwarmEnv:
    """Serve the swarm's routes on the application; return what their verbs need."""
    settings = part.config.settings
    file = DiskNodeFile(settings.data_root / "swarm")
    launcher = ManagerProcesses(part.socket, part.config.log_level, part.config.log_format)
    clock = SystemClock()

    async def machine() -> Machine:
        networks = engine.containers.networks.store.all()
        subnets = [each.subnet for network in networks for each in network.subnets]
        return Machine(await list_interfaces(), subnets, part.config.default_advertise)

    async def describe_node() -> NodeDescription:
        return describe(await info(replace(engine.system, cluster=NoCluster())))

    async def new_node(state: NodeState) -> Node:
        root = await asyncio.to_thread(_node_root)
        node: Node = root.new_node(
            state,
            file=file,
            launcher=launcher,
            manager=part.manager,
            clock=clock,
            describe=describe_node,
            engine=engine.containers,
        )
        return node

    async def remove_tasks(node_id: str) -> None:
        root = await asyncio.to_thread(_node_root)
        await root.remove_tasks(engine.containers, node_id)

    env = SwarmEnv(
        membership=part.membership,
        file=file,
        manager=part.manager,
        clock=clock,
        machine=machine,
        describe=describe_node,
        new_node=new_node,
        remove_tasks=remove_tasks,
    )
    app.state.swarm_env = env
    app.state.gateway_env = GatewayEnv(lambda: part.membership.standing, part.manager)
    app.include_router(swarm_routes.router)
    app.include_router(gateway.router)
    return env


def _node_root() -> ModuleType:
    """Return the module with the adapters of a node; its first import takes a quarter second."""
    # The daemon starts programs all the time: gRPC need not prepare for children in Python.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
    return importlib.import_module("agent.node_root")
