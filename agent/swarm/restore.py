"""Begin a swarm with the state that a backup holds."""

from __future__ import annotations

from msgspec import Struct

from agent.swarm.env import SwarmEnv
from agent.swarm.init import init
from api.errors import InvalidArgument
from api.types.swarm import SwarmInitRequest


class RestoreRequest(Struct, frozen=True, kw_only=True):
    """The body of POST /cluster/restore: a file on this machine, its key, and addresses."""

    Path: str = ""
    Key: str = ""
    AdvertiseAddr: str = ""
    ListenAddr: str = ""
    DataPathAddr: str = ""


async def restore(env: SwarmEnv, request: RestoreRequest) -> str:
    """Return the id of the node that is the restored swarm's only manager.

    Errors:  AlreadyInSwarm; what the manager says of the backup; nothing is left then.
    """
    if not request.Path.startswith("/"):
        raise InvalidArgument("the backup's path must be absolute")
    addresses = SwarmInitRequest(
        AdvertiseAddr=request.AdvertiseAddr,
        ListenAddr=request.ListenAddr,
        DataPathAddr=request.DataPathAddr,
    )
    return await init(env, addresses, backup=request.Path, backup_key=request.Key)
