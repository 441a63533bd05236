"""Change the limits and the restart policy of a container, running or not."""

from __future__ import annotations

from msgspec.structs import replace

from api.errors import Conflict, Internal, InvalidArgument
from api.types.containers import HostConfig
from api.types.update import ContainerUpdateRequest
from engine.containers.env import ContainersEnv
from engine.containers.notify import notify
from engine.containers.process_spec import block_devices
from engine.containers.record import ContainerRecord
from engine.containers.teardown import runtime_of
from engine.core import restart
from engine.core.container_state import Status
from engine.core.errors import RuntimeFailed
from engine.core.oci_limits import build_resources, check_limits
from engine.core.update import updated


class CannotUpdate(Conflict):
    """It is going away."""

    def __init__(self, container_id: str) -> None:
        super().__init__(
            f"Cannot update container {container_id}: "
            'container is marked for removal and cannot be "update"'
        )


async def update(env: ContainersEnv, ref: str, asked: ContainerUpdateRequest) -> list[str]:
    """Change what is asked for, in the kernel first; return warnings. All or nothing.

    Errors:  NoSuchContainer, InvalidArgument, CannotUpdate, Internal (the runtime refused).
    """
    record = env.store.resolve(ref)
    restart.check(asked.RestartPolicy, auto_remove=False)
    async with env.live.of(record.id).lock:
        record = env.store.get(record.id)
        if record.state.status in {Status.REMOVING, Status.DEAD}:
            raise CannotUpdate(record.id)
        wanted = _updated(record, asked)
        wanted, warnings = check_limits(wanted, env.host.facts.facts())
        if record.state.has_process:
            await _apply(env, record, wanted)
        record = replace(record, host_config=wanted)
        await env.store.put(record)
    notify(env, record, "update")
    return warnings


def _updated(record: ContainerRecord, asked: ContainerUpdateRequest) -> HostConfig:
    try:
        return updated(record.host_config, asked)
    except InvalidArgument as error:
        words = f"Cannot update container {record.id}: {error.message}"
        raise InvalidArgument(words) from error


async def _apply(env: ContainersEnv, record: ContainerRecord, wanted: HostConfig) -> None:
    """Give a running container its limits. Errors: Internal, InvalidArgument."""
    before = await _resources(env, record.host_config)
    after = await _resources(env, wanted)
    # A limit that is lifted must be said: the runtime leaves alone what is not told.
    if "pids" in before and "pids" not in after:
        after["pids"] = {"limit": -1}
    if after == before:
        return
    try:
        await env.host.runtime.update(runtime_of(env, record.runtime), record.id, after)
    except RuntimeFailed as error:
        raise Internal(f"Cannot update container {record.id}: {error.message}") from error


async def _resources(env: ContainersEnv, host: HostConfig) -> dict[str, object]:
    return build_resources(host, env.host.facts.facts(), await block_devices(env, host))
