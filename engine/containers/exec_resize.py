"""POST /exec/{id}/resize: the size of an exec's terminal."""

from __future__ import annotations

import asyncio

from api.errors import Conflict, Expired
from engine.containers.env import ContainersEnv
from engine.containers.exec_instance import ExecInstance, find_instance
from engine.containers.resize import check_size
from engine.core.exec_state import ExecPhase

_START_TIMEOUT_S = 10.0


async def exec_resize(env: ContainersEnv, exec_id: str, height: int, width: int) -> None:
    """Set the size in characters; a process without terminal takes no notice.

    The command may be on its way up while its client sends the first size: that is waited for.
    Errors:  NoSuchExec, InvalidArgument, Conflict when the process does not run.
    """
    check_size(height, width)
    instance = find_instance(env, exec_id)
    if not instance.started.is_set():
        await _until_started(instance)
        instance = find_instance(env, exec_id)
    if instance.state.phase is not ExecPhase.RUNNING or instance.directory is None:
        raise Conflict(f"cannot resize a stopped exec instance: {exec_id}")
    if instance.request.Tty:
        await asyncio.to_thread(env.host.monitor.resize, instance.directory, height, width)


async def _until_started(instance: ExecInstance) -> None:
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            await instance.started.wait()
    except TimeoutError as error:
        raise Expired("timeout waiting for exec session ready") from error
