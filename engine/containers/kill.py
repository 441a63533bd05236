"""Send a container a signal."""

from __future__ import annotations

import asyncio

from api.errors import Conflict, Internal
from engine.containers.env import ContainersEnv
from engine.containers.stop import deliver, give_up_restart, stop_signal_of
from engine.core.signals import KILL, parse_signal

_KILL_TIMEOUT_S = 10.0


class CannotKill(Conflict):
    """It has no process."""

    def __init__(self, ref: str, container_id: str) -> None:
        super().__init__(f"cannot kill container: {ref}: container {container_id} is not running")


class KillFailed(Internal):
    """SIGKILL was sent and nothing ended."""

    def __init__(self, ref: str) -> None:
        super().__init__(
            f"cannot kill container: {ref}: tried to kill container, "
            "but did not receive an exit event"
        )


async def kill(env: ContainersEnv, ref: str, signal: str = "") -> None:
    """Signal a container's first process; with KILL (the default) return when it has ended.

    The stop signal and KILL count as a person's wish: the restart policy does not answer them.
    Errors:  NoSuchContainer, InvalidArgument, CannotKill, KillFailed.
    """
    number = parse_signal(signal) if signal else KILL
    record = env.store.resolve(ref)
    if not record.state.is_running:
        raise CannotKill(ref, record.id)
    live = env.live.of(record.id)
    if number in {KILL, stop_signal_of(record)}:
        live.stop_asked = True
        if await give_up_restart(env, record.id):
            return
    exited = live.exited.expect()
    try:
        await deliver(env, record.id, number)
        if number == KILL and not (await asyncio.wait({exited}, timeout=_KILL_TIMEOUT_S))[0]:
            raise KillFailed(ref)
    finally:
        exited.cancel()
