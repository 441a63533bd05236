"""Freeze a container's processes."""

from __future__ import annotations

from msgspec.structs import replace

from engine.containers.env import ContainersEnv
from engine.containers.notify import notify
from engine.containers.teardown import runtime_of
from engine.core.container_state import Event, moved


async def pause(env: ContainersEnv, ref: str) -> None:
    """Freeze. Errors: NoSuchContainer, Conflict (not running, paused), RuntimeFailed."""
    record = env.store.resolve(ref)
    async with env.live.of(record.id).lock:
        record = env.store.get(record.id)
        state = moved(record.state, Event.PAUSE, record.id)
        await env.host.runtime.pause(runtime_of(env, record.runtime), record.id)
        record = replace(record, state=state)
        await env.store.put(record)
        notify(env, record, "pause")
