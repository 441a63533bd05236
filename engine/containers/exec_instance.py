"""Exec instances: kept in memory alone, as long as someone may ask for their exit code."""

from __future__ import annotations

import asyncio
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from api.errors import NoSuchExec
from api.types.exec import ExecCreateRequest
from engine.containers.env import ContainersEnv
from engine.core.exec_state import ExecEvent, ExecState, advance


class ExecInstance(Struct, frozen=True, kw_only=True):
    """One command to be run, running or run; `directory` is set once it was started.

    `started` is set once it runs or could not be started, `ended` when it does not run any more.
    """

    id: str
    container_id: str
    request: ExecCreateRequest
    state: ExecState = ExecState()
    directory: Path | None = None
    started: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def command(self) -> list[str]:
        """The program and its arguments; never empty."""
        return self.request.Cmd or []


def find_instance(env: ContainersEnv, exec_id: str) -> ExecInstance:
    """Return an instance. Errors: NoSuchExec, also when its container is gone."""
    found = env.live.find_exec(exec_id)
    if found is None:
        raise NoSuchExec(exec_id)
    instance = found[1]
    assert isinstance(instance, ExecInstance)
    return instance


def put_instance(env: ContainersEnv, instance: ExecInstance) -> ExecInstance:
    """Make an instance, or a new state of it, what readers see; return it."""
    env.live.of(instance.container_id).execs[instance.id] = instance
    return instance


def drop_instance(env: ContainersEnv, instance: ExecInstance) -> None:
    """Forget an instance; fine if gone, its container too."""
    if env.live.find_exec(instance.id) is not None:
        env.live.of(instance.container_id).execs.pop(instance.id, None)


def step(
    env: ContainersEnv,
    exec_id: str,
    event: ExecEvent,
    *,
    pid: int = 0,
    exit_code: int | None = None,
    directory: Path | None = None,
) -> ExecInstance:
    """Let an event happen to an instance; return it. Errors: NoSuchExec, Conflict."""
    instance = find_instance(env, exec_id)
    state = advance(exec_id, instance.state, event, pid=pid, exit_code=exit_code)
    return put_instance(
        env, replace(instance, state=state, directory=directory or instance.directory)
    )
