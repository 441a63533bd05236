"""The manager's application over a cluster in memory, asked without a socket."""

from __future__ import annotations

from typing import Any

import msgspec

from manager.ports.leadership import Request
from manager.routes import contents, nodes, services, swarm, tasks
from manager.routes.app import ManagerApi
from manager.routes.local_call import serve_own
from tests.fakes.leadership import FakeLeader, FakeLeadership
from tests.fakes.small_cluster import SmallCluster

_JSON = ((b"content-type", b"application/json"),)


class ManagerApp:
    """Asks the routes of one manager, which leads."""

    def __init__(self, cluster: SmallCluster) -> None:
        self.app = ManagerApi(FakeLeadership(), FakeLeader())
        self.app.state.cluster_env = cluster.env
        for routes in (contents, nodes, services, swarm, tasks):
            self.app.include_router(routes.router)

    async def ask(
        self, method: str, target: str, content: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """Return status and decoded body (None where there is none)."""
        path, _, query = target.partition("?")
        body = b"" if content is None else msgspec.json.encode(content)
        more = ((name.replace("_", "-").encode(), text.encode()) for name, text in headers.items())
        sent = (*(_JSON if body else ()), *more)
        request = Request(method, path, query.encode(), sent, body)
        reply = await serve_own(self.app, request)
        return reply.status, msgspec.json.decode(reply.body) if reply.body else None

    async def get(self, target: str) -> Any:
        """Return what is behind a path, which must be there."""
        status, found = await self.ask("GET", target)
        assert status == 200, found
        return found
