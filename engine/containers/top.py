"""GET /containers/{id}/top: the processes of a container, as the host's `ps` shows them."""

from __future__ import annotations

import shlex

from api.errors import Conflict, InvalidArgument
from engine.containers.env import ContainersEnv
from engine.containers.notify import notify
from engine.core.container_state import NotRunning, Status
from engine.core.process_table import ProcessTable, check_ps_arguments, select_processes

DEFAULT_PS_ARGUMENTS = "-ef"


async def top(env: ContainersEnv, ref: str, ps_arguments: str) -> ProcessTable:
    """Return the container's processes with the columns that the arguments of `ps` ask for.

    Errors:  NoSuchContainer, NotRunning, Conflict (restarting), InvalidArgument.
    """
    record = env.store.resolve(ref)
    arguments = _split(ps_arguments or DEFAULT_PS_ARGUMENTS)
    if record.state.status is Status.RESTARTING:
        raise Conflict(f"container {record.id} is restarting, wait until the container is running")
    if not record.state.has_process:
        raise NotRunning(record.id)
    pids = await env.host.insight.processes.members(record.state.pid)
    table = select_processes(await env.host.insight.processes.listing(arguments), pids)
    notify(env, record, "top")
    return table


def _split(text: str) -> list[str]:
    try:
        arguments = shlex.split(text)
    except ValueError as error:
        raise InvalidArgument(f"invalid ps arguments {text!r}: {error}") from error
    check_ps_arguments(arguments)
    return arguments
