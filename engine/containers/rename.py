"""Give a container another name."""

from __future__ import annotations

from msgspec.structs import replace

from api.errors import InvalidArgument
from engine.containers.env import ContainersEnv
from engine.containers.notify import notify
from engine.core.names import check_name
from engine.networks.rename import rename as rename_on_networks


async def rename(env: ContainersEnv, ref: str, name: str) -> None:
    """Rename. Errors: NoSuchContainer, InvalidArgument, NameInUse; the old name stays then."""
    record = env.store.resolve(ref)
    if not name:
        raise InvalidArgument("Neither old nor new names may be empty")
    name = check_name(name)
    async with env.live.of(record.id).lock:
        record = env.store.get(record.id)
        old = record.name
        if old == name:
            raise InvalidArgument("Renaming a container with the same name as its current name")
        env.store.reserve_name(name, record.id)
        try:
            await env.store.put(replace(record, name=name))
            await rename_on_networks(env.networks, record.id, name)
        except BaseException:
            env.store.set(record)
            env.store.release_name(name, record.id)
            raise
        env.store.release_name(old, record.id)
    notify(env, env.store.get(record.id), "rename", oldName=f"/{old}")
