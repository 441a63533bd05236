"""Let a frozen container go on."""

from __future__ import annotations

from msgspec.structs import replace

from engine.containers.env import ContainersEnv
from engine.containers.notify import notify
from engine.containers.teardown import runtime_of
from engine.core.container_state import Event, moved


async def unpause(env: ContainersEnv, ref: str) -> None:
    """Thaw. Errors: NoSuchContainer, Conflict (it is not paused), RuntimeFailed."""
    record = env.store.resolve(ref)
    async with env.live.of(record.id).lock:
        record = env.store.get(record.id)
        state = moved(record.state, Event.UNPAUSE, record.id)
        await env.host.runtime.resume(runtime_of(env, record.runtime), record.id)
        record = replace(record, state=state)
        await env.store.put(record)
        notify(env, record, "unpause")
