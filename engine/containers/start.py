"""Start a container."""

from __future__ import annotations

import asyncio

from api.errors import SkepError
from engine.containers.dispose import auto_remove
from engine.containers.env import ContainersEnv
from engine.containers.launch import launch
from engine.containers.supervise import supervise
from engine.core.container_state import Event, next_status


async def start(env: ContainersEnv, ref: str) -> None:
    """Run a container's process; return once it runs and the record says so.

    All or nothing: after a failure nothing of the run is left, and the state holds the error and
    an exit code (126 not executable, 127 not found, 128 otherwise). A container with AutoRemove is
    removed then.
    Errors:  NoSuchContainer, NotModified (it runs), Conflict, RuntimeFailed, Internal.
    """
    record = env.store.resolve(ref)
    live = env.live.of(record.id)
    async with live.lock:
        record = env.store.get(record.id)
        next_status(record.state.status, Event.START, record.id)
        _forget_the_past(env, record.id)
        try:
            monitored = await launch(env, record)
        except (SkepError, asyncio.CancelledError):
            if record.host_config.AutoRemove:
                await asyncio.shield(auto_remove(env, env.store.get(record.id)))
            raise
        supervise(env, record.id, monitored)


def _forget_the_past(env: ContainersEnv, container_id: str) -> None:
    live = env.live.of(container_id)
    if live.retry is not None:
        live.retry.cancel()
        live.retry = None
    live.stop_asked = False
    live.failures = 0
    live.attempts = 0
