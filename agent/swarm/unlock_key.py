"""The key that the local manager locks by."""

from __future__ import annotations

import msgspec

from agent.ports.manager_api import ManagerApi, Outgoing, fetch
from api.errors import Unavailable
from api.types.swarm import UnlockKeyResponse


async def ask_unlock_key(manager: ManagerApi) -> str:
    """Return the cluster's unlock key. Errors: Unavailable while the manager does not serve."""
    reply = await fetch(manager, Outgoing(b"GET", b"/swarm/unlockkey"))
    try:
        found = msgspec.json.decode(reply.body, type=UnlockKeyResponse)
    except msgspec.MsgspecError:
        found = UnlockKeyResponse()
    if reply.status >= 400 or not found.UnlockKey:
        raise Unavailable("the local manager does not tell its unlock key yet")
    return found.UnlockKey
