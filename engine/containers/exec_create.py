"""POST /containers/{id}/exec: a command to be run in a running container."""

from __future__ import annotations

from api.errors import Conflict, InvalidArgument
from api.ids import new_id
from api.types.exec import ExecCreateRequest
from engine.containers.env import ContainersEnv
from engine.containers.exec_instance import ExecInstance, put_instance
from engine.containers.notify import notify
from engine.containers.record import ContainerRecord
from engine.core.container_state import NotRunning, Status
from engine.core.detach_keys import parse_detach_keys


async def exec_create(env: ContainersEnv, ref: str, request: ExecCreateRequest) -> str:
    """Return the id of a new exec instance; nothing runs before it is started.

    Errors:  NoSuchContainer, InvalidArgument (no command, variables, detach keys), NotRunning,
    Conflict (paused, restarting).
    """
    if not request.Cmd:
        raise InvalidArgument("No exec command specified")
    parse_detach_keys(request.DetachKeys)
    check_variables(request.Env or [])
    record = env.store.resolve(ref)
    check_exec_possible(record)
    instance = put_instance(env, ExecInstance(id=new_id(), container_id=record.id, request=request))
    publish(env, record, instance, f"exec_create: {' '.join(instance.command)}")
    return instance.id


def check_exec_possible(record: ContainerRecord) -> None:
    """Raise NotRunning or Conflict unless a command can be run in the container now."""
    match record.state.status:
        case Status.RUNNING:
            return
        case Status.PAUSED:
            raise Conflict(f"container {record.id} is paused, unpause the container before exec")
        case Status.RESTARTING:
            raise Conflict(
                f"container {record.id} is restarting, wait until the container is running"
            )
        case _:
            raise NotRunning(record.id)


def check_variables(variables: list[str]) -> None:
    """Raise InvalidArgument for an environment variable without a name."""
    for variable in variables:
        if not variable or variable.startswith("="):
            raise InvalidArgument(f"invalid environment variable: {variable}")
        if "\0" in variable:
            raise InvalidArgument("invalid environment variable: contains a NUL character")


def publish(
    env: ContainersEnv, record: ContainerRecord, instance: ExecInstance, action: str, **more: str
) -> None:
    """Tell the listeners of an exec's event."""
    notify(env, record, action, execID=instance.id, **more)
