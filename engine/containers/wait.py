"""Wait for a container's exit or removal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from api.errors import InvalidArgument
from api.types.containers import ContainerWaitExitError, ContainerWaitResponse
from engine.containers.env import ContainersEnv

_CONDITIONS = frozenset({"", "not-running", "next-exit", "removed"})


def wait(
    env: ContainersEnv, ref: str, condition: str = ""
) -> Callable[[], Awaitable[ContainerWaitResponse]]:
    """Begin to wait at once; the function returned gives the answer when the condition is met.

    Begun at once, so that a client that has read the header of the answer misses no exit.
    Conditions: not-running (the default; also met when the container does not run), next-exit,
    removed.
    Errors:  NoSuchContainer, InvalidArgument.
    """
    if condition not in _CONDITIONS:
        raise InvalidArgument(f'invalid condition: "{condition}"')
    record = env.store.resolve(ref)
    live = env.live.of(record.id)
    future: asyncio.Future[int]
    if condition == "removed":
        future = live.removed.expect()
    elif condition == "next-exit" or record.state.is_running:
        future = live.exited.expect()
    else:
        future = asyncio.get_running_loop().create_future()
        future.set_result(record.state.exit_code)

    async def answer() -> ContainerWaitResponse:
        try:
            code = await future
        finally:
            future.cancel()
        found = env.store.find(record.id)
        if found is not None and found.state.error and condition != "removed":
            return ContainerWaitResponse(code, ContainerWaitExitError(found.state.error))
        return ContainerWaitResponse(code)

    return answer
