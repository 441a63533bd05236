"""Give a container the devices that it asks for by driver, name or capability."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from engine.containers.env import ContainersEnv
from engine.containers.record import ContainerRecord
from engine.core.cdi import DeviceNode, Edits, apply_edits, edits_of, wanted_devices


async def add_requested_devices(
    env: ContainersEnv, record: ContainerRecord, spec: dict[str, Any]
) -> None:
    """Change config.json as the devices' specifications say; fine without requests.

    Errors:  InvalidArgument (no such device or driver, a node that the host does not have).
    """
    requests = record.host_config.DeviceRequests
    if not requests:
        return
    specs = await env.host.facts.device_specs(env.settings.current.cdi_spec_dirs)
    edits = edits_of(wanted_devices(requests, specs))
    apply_edits(spec, [await _completed(env, each) for each in edits])


async def _completed(env: ContainersEnv, edits: Edits) -> Edits:
    return replace(edits, device_nodes=[await _node(env, each) for each in edits.device_nodes])


async def _node(env: ContainersEnv, node: DeviceNode) -> DeviceNode:
    """Return a node with kind, numbers and rights as the host's has them."""
    if node.type in {"b", "c", "u"} and (node.major or node.minor):
        return node
    found = (await env.host.facts.device(node.host_path or node.path))[0]
    return replace(
        node,
        type=found.kind,
        major=found.major,
        minor=found.minor,
        file_mode=found.mode if node.file_mode is None else node.file_mode,
        uid=found.uid if node.uid is None else node.uid,
        gid=found.gid if node.gid is None else node.gid,
    )
