"""Whether this manager can serve requests."""

from __future__ import annotations

from api.swarm_errors import ManagerNotReady
from manager.cluster.own import ManagerEnv


async def check_ready(env: ManagerEnv) -> None:
    """Return when reads and writes would be served now. Errors: NoLeader, ManagerNotReady."""
    await env.leadership.read_barrier()
    if not len(env.store.view().clusters):
        raise ManagerNotReady
