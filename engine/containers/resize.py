"""POST /containers/{id}/resize: the size of a container's terminal."""

from __future__ import annotations

import asyncio

from api.errors import InvalidArgument
from engine.containers.env import ContainersEnv
from engine.containers.notify import notify
from engine.core.container_state import NotRunning

LARGEST = 0xFFFF


def check_size(height: int, width: int) -> None:
    """Raise InvalidArgument for what a terminal cannot have: the kernel counts in 16 bits."""
    for name, value in (("h", height), ("w", width)):
        if not 0 <= value <= LARGEST:
            raise InvalidArgument(f"invalid resize {name} {value}: value out of range")


async def resize(env: ContainersEnv, ref: str, height: int, width: int) -> None:
    """Set the terminal's size in characters; a container without terminal takes no notice.

    Errors:  NoSuchContainer, InvalidArgument, NotRunning.
    """
    record = env.store.resolve(ref)
    check_size(height, width)
    monitored = env.live.of(record.id).monitored
    if monitored is None or not record.state.has_process:
        raise NotRunning(record.id)
    if not record.config.Tty:
        return
    await asyncio.to_thread(env.host.monitor.resize, monitored.directory, height, width)
    notify(env, record, "resize", height=str(height), width=str(width))
