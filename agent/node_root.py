"""The root of a node that is in a swarm: chooses the adapters that a daemon alone does without.

gRPC and cryptography take 20 MB and a quarter of a second, so this is imported when it is needed.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from agent.adapters.authority_client import GrpcAuthority
from agent.adapters.certificate_files import DiskCertificates
from agent.adapters.dispatcher_client import GrpcDispatchers
from agent.adapters.engine_attachments import ManagerAttachments
from agent.adapters.engine_executor import EngineExecutor
from agent.adapters.engine_logs import EngineLogs
from agent.adapters.engine_overlay import EngineOverlay
from agent.adapters.task_database import TaskDatabase
from agent.adapters.task_tmpfs import TmpfsTaskFiles
from agent.certificates import NodeCertificates
from agent.core.node_state import NodeState
from agent.core.task_to_container import LABEL, NodeFacts
from agent.overlay import NodeOverlays
from agent.ports.manager_api import ManagerApi
from agent.ports.manager_process import Launcher
from agent.ports.node_file import NodeFile
from agent.swarm.events import follow_events
from agent.swarm.node import Node, NodeEnv
from agent.swarm.unlock_key import ask_unlock_key
from agent.worker import Worker, WorkerEnv
from api.errors import NotFound, SkepError
from api.types.networks import NetworkDisconnectRequest
from api.types.nodes import NodeDescription
from engine.containers.disconnect import disconnect
from engine.containers.env import ContainersEnv
from engine.containers.remove import remove
from engine.ports.attachments import NoAttachments
from engine.ports.clock import Clock

log = structlog.get_logger(__name__)


def new_node(
    state: NodeState,
    *,
    file: NodeFile,
    launcher: Launcher,
    manager: ManagerApi,
    clock: Clock,
    describe: Callable[[], Awaitable[NodeDescription]],
    engine: ContainersEnv,
) -> Node:
    """Return the node of a state, not started yet."""
    chance = random.SystemRandom().random
    certificates = NodeCertificates(
        DiskCertificates(file.directory),
        GrpcAuthority(),
        partial(ask_unlock_key, manager),
        clock,
        chance,
    )
    here: list[Node] = []
    overlays = NodeOverlays(
        EngineOverlay(engine.networks),
        clock,
        lambda: certificates.node_id,
        lambda: here[0].data_path_address,
    )
    engine.networks.overlay.state.attachments = ManagerAttachments(overlays)
    worker = Worker(
        WorkerEnv(
            executor=EngineExecutor(engine),
            files=task_files(engine),
            records=TaskDatabase(file.directory / "tasks.db"),
            logs=EngineLogs(engine),
            clock=clock,
            chance=chance,
            node=lambda: _facts(certificates.node_id),
            networks=overlays,
        )
    )
    node = Node(
        NodeEnv(
            file=file,
            certificates=certificates,
            launcher=launcher,
            dispatchers=GrpcDispatchers(),
            clock=clock,
            chance=chance,
            describe=describe,
            worker=worker,
            follow_events=partial(
                follow_events, manager, partial(engine.events.publish, scope="swarm")
            ),
            overlays=overlays,
        ),
        state,
    )
    here.append(node)
    return node


async def remove_tasks(engine: ContainersEnv, node_id: str) -> None:
    """Remove all that a swarm had on this machine: containers of tasks, files, networks.

    Other containers stay, and lose the swarm's networks.
    node_id: whose tasks; "" for all of them. What cannot be removed is logged, and does not keep
    the machine in the swarm.
    """
    async with asyncio.TaskGroup() as group:
        for record in engine.store.all():
            of_node = (record.config.Labels or {}).get(f"{LABEL}node.id")
            if of_node is not None and node_id in ("", of_node):
                removing = remove(engine, record.id, force=True, volumes=True)
                group.create_task(_logged(removing, container=record.id))
    engine.networks.overlay.state.attachments = NoAttachments()
    overlay = EngineOverlay(engine.networks)
    await overlay.set_keys(())
    for network_id in overlay.known():
        for box in engine.networks.store.sandboxes_on(network_id):
            wanted = NetworkDisconnectRequest(Container=box.container_id, Force=True)
            await _logged(disconnect(engine, network_id, wanted), container=box.container_id)
        await _logged(overlay.drop(network_id), network=network_id)
    files = task_files(engine)
    for task_id in await files.tasks():
        await _logged(files.remove(task_id), task=task_id)


async def _logged(removing: Awaitable[object], **what: str) -> None:
    try:
        await removing
    except NotFound:
        log.debug("swarm.gone_before", **what)
    except SkepError as error:
        log.warning("swarm.not_removed", error=error.message, **what)


def task_files(engine: ContainersEnv) -> TmpfsTaskFiles:
    """Return where the files of this daemon's tasks are."""
    settings = engine.settings.current
    return TmpfsTaskFiles(settings.exec_root / "tasks", settings.id_maps)


def _facts(node_id: str) -> NodeFacts:
    system = os.uname()
    return NodeFacts(node_id, system.nodename, "linux", system.machine)
