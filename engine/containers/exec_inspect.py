"""GET /exec/{id}/json: what an exec instance is, and how it ended."""

from __future__ import annotations

from msgspec import UNSET

from api.types.exec import ExecInspectResponse, ProcessConfig
from engine.containers.env import ContainersEnv
from engine.containers.exec_instance import find_instance
from engine.core.exec_state import ExecPhase


async def exec_inspect(env: ContainersEnv, exec_id: str) -> ExecInspectResponse:
    """Return an instance as the API shows it. Errors: NoSuchExec."""
    instance = find_instance(env, exec_id)
    request, state = instance.request, instance.state
    return ExecInspectResponse(
        ID=instance.id,
        Running=state.phase in {ExecPhase.STARTING, ExecPhase.RUNNING},
        ExitCode=state.exit_code,
        ProcessConfig=ProcessConfig(
            tty=request.Tty,
            entrypoint=instance.command[0],
            arguments=instance.command[1:],
            privileged=request.Privileged,
            user=request.User or UNSET,
        ),
        OpenStdin=request.AttachStdin,
        OpenStderr=request.AttachStderr,
        OpenStdout=request.AttachStdout,
        ContainerID=instance.container_id,
        DetachKeys=request.DetachKeys,
        Pid=state.pid,
    )
