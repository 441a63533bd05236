"""Let a running container answer to another name."""

from __future__ import annotations

from msgspec.structs import replace

from engine.networks.env import NetworksEnv


async def rename(env: NetworksEnv, container_id: str, name: str) -> None:
    """Put a container's new name in place of its old one; fine if it has no sandbox.

    Errors:  Internal; the old name stays then.
    """
    async with env.store.lock(container_id):
        before = env.store.sandbox(container_id)
        if before is None:
            return
        endpoints = []
        for each in before.endpoints:
            names = [
                name if known == before.container_name else known
                for known in each.settings.DNSNames or []
            ]
            settings = replace(each.settings, DNSNames=names or None)
            endpoints.append(replace(each, settings=settings))
        after = replace(before, container_name=name, endpoints=endpoints)
        await env.store.swap(before, after)
