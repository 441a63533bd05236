"""Remove a service."""

from __future__ import annotations

from msgspec.structs import replace

from manager.cluster.env import ClusterEnv
from manager.cluster.services.refs import resolve_service
from manager.core.store.transaction import Transaction


async def remove_service(env: ClusterEnv, ref: str) -> None:
    """Remove a service: nobody sees it any more, its name and ports are free at once.

    What is left of it goes with its last task, which the orchestrator ends.
    Errors:  NoSuchService, AmbiguousRef.
    """

    def change(tx: Transaction) -> None:
        service = resolve_service(tx.services, ref)
        if tx.tasks.count(service=service.id):
            tx.services.update(replace(service, is_removed=True))
        else:
            tx.services.remove(service.id)

    await env.store.update(change)
