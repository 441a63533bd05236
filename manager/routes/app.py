"""The manager's application: our gate in front, then who may serve a request, then the routes."""

from __future__ import annotations

from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp

from api.http.app import Api, Gate
from api.http.dispatch import Dispatcher
from manager.ports.leadership import Leader, Leadership
from manager.routes.leader_first import LeaderFirst


class ManagerApi(Api):
    """Routes of a manager; reads are served here, writes where the leader is."""

    def __init__(self, leadership: Leadership, leader: Leader) -> None:
        super().__init__()
        self._leadership = leadership
        self._leader = leader

    def build_middleware_stack(self) -> ASGIApp:
        """Return the routes behind our gate."""
        router = AsyncExitStackMiddleware(self.router)
        routes = Dispatcher(iter_route_contexts(self.routes), router)
        return Gate(LeaderFirst(routes, self._leadership, self._leader))
