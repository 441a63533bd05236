"""What the routes hand to the verbs: the environments that the root left on the app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Request

from manager.cluster.env import ClusterEnv
from manager.cluster.own import ManagerEnv
from manager.ports.leadership import Reply
from manager.ports.leadership import Request as Forwarded
from manager.routes.local_call import serve_own


def _from_app(name: str) -> Callable[[Request], Awaitable[Any]]:
    # A coroutine function, since FastAPI sends plain ones through a thread.
    async def read(request: Request) -> Any:
        return getattr(request.app.state, name)

    return read


Cluster = Annotated[ClusterEnv, Depends(_from_app("cluster_env"))]
Manager = Annotated[ManagerEnv, Depends(_from_app("manager_env"))]


async def _ask(request: Request) -> Callable[[Forwarded], Awaitable[Reply]]:
    return partial(serve_own, request.app)


Ask = Annotated[Callable[[Forwarded], Awaitable[Reply]], Depends(_ask)]
