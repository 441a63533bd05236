"""Remove a container."""

from __future__ import annotations

from msgspec.structs import replace

from api.errors import Conflict, SkepError
from engine.containers.dispose import erase, vanish
from engine.containers.env import ContainersEnv
from engine.containers.record import ContainerRecord
from engine.containers.stop import end
from engine.core.container_state import Event, moved, refusal
from engine.core.signals import KILL

_KILL_WAIT_S = 10


class CannotRemove(Conflict):
    """Its state forbids it."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f'cannot remove container "/{name}": {why}')


async def remove(
    env: ContainersEnv, ref: str, *, force: bool = False, volumes: bool = False
) -> None:
    """Remove a container, killing it first with `force`, its anonymous volumes with `volumes`.

    Errors:  NoSuchContainer, CannotRemove, Internal (what is left is a dead container then).
    """
    record = env.store.resolve(ref)
    if record.state.is_running:
        if not force:
            why = refusal(record.state.status, Event.REMOVE, record.id).message
            raise CannotRemove(record.name, why)
        await end(env, record, KILL, _KILL_WAIT_S)
    async with env.live.of(record.id).lock:
        found = env.store.find(record.id)
        if found is None:
            return  # AutoRemove was quicker
        try:
            gone = await vanish(env, found, volumes=volumes)
        except Conflict as error:
            raise CannotRemove(found.name, error.message) from error
        await _erase_or_bury(env, gone)


async def _erase_or_bury(env: ContainersEnv, record: ContainerRecord) -> None:
    try:
        await erase(env, record)
    except SkepError as error:
        state = moved(record.state, Event.REMOVE_FAILED, record.id, error=error.message)
        env.store.reserve_name(record.name, record.id)
        await env.store.put(replace(record, state=state))
        raise
