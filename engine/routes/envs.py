"""What the routes hand to the verbs: the environments that the root left on the app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request

from engine.containers.env import ContainersEnv
from engine.images.env import ImagesEnv
from engine.networks.env import NetworksEnv
from engine.system.env import SystemEnv
from engine.volumes.env import VolumesEnv


def _from_app(name: str) -> Callable[[Request], Awaitable[Any]]:
    # A coroutine function, since FastAPI sends plain ones through a thread.
    async def read(request: Request) -> Any:
        return getattr(request.app.state, name)

    return read


Containers = Annotated[ContainersEnv, Depends(_from_app("containers_env"))]
Images = Annotated[ImagesEnv, Depends(_from_app("images_env"))]
Networks = Annotated[NetworksEnv, Depends(_from_app("networks_env"))]
Volumes = Annotated[VolumesEnv, Depends(_from_app("volumes_env"))]
System = Annotated[SystemEnv, Depends(_from_app("system_env"))]
