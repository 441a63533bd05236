"""What managers ask of one another: to serve a client's request, and how they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from manager.ports.leadership import Reply, Request
from manager.ports.statuses import OwnStatus
from protos.skep.v1.control_pb2 import (
    Header,
    HttpRequest,
    HttpResponse,
    StatusRequest,
    StatusResponse,
)
from protos.skep.v1.control_pb2_grpc import ControlServicer

Serve = Callable[[Request], Awaitable[Reply]]


class Control(ControlServicer):
    """Serves forwarded requests by the manager's own application."""

    def __init__(self, serve: Serve, status: Callable[[], OwnStatus]) -> None:
        self._serve = serve
        self._status = status

    async def Forward(self, request: HttpRequest, context: Any) -> HttpResponse:
        """Serve a request of the HTTP API. Errors: NotDone when this manager does not lead."""
        reply = await self._serve(
            Request(
                method=request.method,
                path=request.path,
                query=request.query.encode("latin-1", "replace"),
                headers=tuple(_pairs(request.headers)),
                body=request.body,
            )
        )
        return HttpResponse(
            status=reply.status,
            headers=[
                Header(name=name.decode("latin-1"), value=value.decode("latin-1"))
                for name, value in reply.headers
            ],
            body=reply.body,
        )

    async def Status(self, request: StatusRequest, context: Any) -> StatusResponse:
        """Return how this manager sees itself."""
        own = self._status()
        return StatusResponse(
            node_id=own.node_id,
            raft_id=own.raft_id,
            term=own.term,
            leader=own.leader,
            commit_index=own.commit_index,
            applied_index=own.applied_index,
            version=own.version,
        )


def _pairs(headers: Iterable[Header]) -> Iterable[tuple[bytes, bytes]]:
    for each in headers:
        yield each.name.encode("latin-1", "replace"), each.value.encode("latin-1", "replace")
