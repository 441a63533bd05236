"""Restart a container: stop it if it runs, start it."""

from __future__ import annotations

from api.errors import NotModified
from engine.containers.env import ContainersEnv
from engine.containers.notify import notify
from engine.containers.start import start
from engine.containers.stop import stop


async def restart(
    env: ContainersEnv, ref: str, *, timeout_s: int | None = None, signal: str = ""
) -> None:
    """Stop and start. A container with AutoRemove is kept over the stop.

    Errors:  as `stop` and `start`.
    """
    record = env.store.resolve(ref)
    live = env.live.of(record.id)
    live.keep = True
    try:
        await stop(env, record.id, timeout_s=timeout_s, signal=signal)
    except NotModified:
        pass  # it did not run: starting it is all there is to do
    finally:
        live.keep = False
    await start(env, record.id)
    notify(env, env.store.get(record.id), "restart")
