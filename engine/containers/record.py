"""A container as the engine keeps it: what was asked for, and what became of it."""

from __future__ import annotations

from msgspec import Struct, field

from api.types.containers import ContainerConfig, HostConfig
from api.types.networks import EndpointSettings, PortBinding
from engine.core.container_state import State
from engine.core.health import HealthState
from engine.core.mount_points import MountRecord


class ContainerRecord(Struct, frozen=True, kw_only=True):
    """One row. `config` is the request merged with the image; `name` has no leading slash.

    `created_ns` is since the epoch. `chain_ids` are the image's layers, base first. `endpoints`
    and `ports` are as the sandbox gave them last; before the first start `endpoints` are
    `asked_endpoints`. `restart_count` counts the restarts that the policy made.
    `health` is None without a check; on disk it is as of the last change of its status.
    """

    id: str
    name: str
    created_ns: int
    image_id: str
    image_ref: str
    chain_ids: list[str]
    config: ContainerConfig
    host_config: HostConfig
    path: str
    args: list[str]
    state: State
    mounts: list[MountRecord] = field(default_factory=list)
    asked_endpoints: dict[str, EndpointSettings] = field(default_factory=dict)
    endpoints: dict[str, EndpointSettings] = field(default_factory=dict)
    ports: dict[str, list[PortBinding] | None] = field(default_factory=dict)
    restart_count: int = 0
    stopped_by_user: bool = False
    log_path: str = ""
    sandbox_key: str = ""
    runtime: str = ""
    health: HealthState | None = None
