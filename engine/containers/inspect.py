"""Show one container whole."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from api.types.containers import (
    ContainerInspectResponse,
    ContainerState,
    DriverData,
    Health,
    HealthcheckResult,
    NetworkSettings,
)
from api.types.networks import EndpointSettings
from engine.containers.env import ContainersEnv
from engine.containers.record import ContainerRecord
from engine.containers.render import mount_points, ports_shown, time_text
from engine.core.container_state import State, Status
from engine.core.health import HealthState


async def inspect(env: ContainersEnv, ref: str, *, size: bool = False) -> ContainerInspectResponse:
    """Return everything of a container; from memory, unless sizes are asked for.

    Errors:  NoSuchContainer.
    """
    record = env.store.resolve(ref)
    shown = _show(env, record)
    if not size:
        return shown
    writable, image = await sizes(env, record)
    return replace(shown, SizeRw=writable, SizeRootFs=writable + image)


async def sizes(env: ContainersEnv, record: ContainerRecord) -> tuple[int, int]:
    """Return the bytes of the writable tree and of the image under it."""
    writable = await env.images.snapshotter.usage(record.id)
    image = env.images.store.find(record.image_id)
    return writable, image.size if image is not None else 0


def _show(env: ContainersEnv, record: ContainerRecord) -> ContainerInspectResponse:
    files = env.host.files.directory(record.id)
    started_once = record.state.started_ns > 0
    live = env.live.of(record.id)
    driver_data = env.images.snapshotter.driver_data(record.id, record.chain_ids)
    return ContainerInspectResponse(
        Id=record.id,
        Created=time_text(record.created_ns),
        Path=record.path,
        Args=record.args,
        State=_state(record.state, record.health),
        Image=record.image_id,
        ResolvConfPath=str(files / "resolv.conf") if started_once else "",
        HostnamePath=str(files / "hostname") if started_once else "",
        HostsPath=str(files / "hosts") if started_once else "",
        LogPath=record.log_path,
        Name=f"/{record.name}",
        RestartCount=record.restart_count,
        ExecIDs=list(live.execs) or None,
        HostConfig=record.host_config,
        GraphDriver=DriverData("overlay2", {"ID": record.id, **driver_data}),
        Mounts=mount_points(env, record),
        Config=record.config,
        NetworkSettings=_network(record),
    )


def _state(state: State, health: HealthState | None) -> ContainerState:
    return ContainerState(
        Status=state.status,
        Running=state.is_running,
        Paused=state.status is Status.PAUSED,
        Restarting=state.status is Status.RESTARTING,
        OOMKilled=state.oom_killed,
        Dead=state.status is Status.DEAD,
        Pid=state.pid,
        ExitCode=state.exit_code,
        Error=state.error,
        StartedAt=time_text(state.started_ns),
        FinishedAt=time_text(state.finished_ns),
        Health=_health(health) if health is not None else UNSET,
    )


def _health(health: HealthState) -> Health:
    results = [
        HealthcheckResult(
            time_text(each.start_ns), time_text(each.end_ns), each.exit_code, each.output
        )
        for each in health.results
    ]
    return Health(health.status, health.failing_streak, results)


def _network(record: ContainerRecord) -> NetworkSettings:
    running = record.state.has_process
    endpoints = endpoints_shown(record)
    first = endpoints.get("bridge") or EndpointSettings()
    return NetworkSettings(
        SandboxID=record.id if running and record.sandbox_key else "",
        SandboxKey=record.sandbox_key if running else "",
        Ports=ports_shown(record),
        EndpointID=first.EndpointID,
        Gateway=first.Gateway,
        GlobalIPv6Address=first.GlobalIPv6Address,
        GlobalIPv6PrefixLen=first.GlobalIPv6PrefixLen,
        IPAddress=first.IPAddress,
        IPPrefixLen=first.IPPrefixLen,
        IPv6Gateway=first.IPv6Gateway,
        MacAddress=first.MacAddress,
        Networks=endpoints,
    )


def endpoints_shown(record: ContainerRecord) -> dict[str, EndpointSettings]:
    """Return the endpoints; addresses only while the container runs."""
    if record.state.has_process:
        return record.endpoints
    return {
        name: replace(
            each,
            EndpointID="",
            Gateway="",
            IPAddress="",
            IPPrefixLen=0,
            IPv6Gateway="",
            GlobalIPv6Address="",
            GlobalIPv6PrefixLen=0,
            MacAddress=each.MacAddress if not each.EndpointID else "",
        )
        for name, each in record.endpoints.items()
    }
