"""From a request to its route, and into it: what FastAPI does, decided once instead of each time.

FastAPI tries one pattern after the other and prepares for every kind of dependency that there
could be. Here routes are found by method, first and last segment, and the dependencies of a route
are the few functions that its declaration names. What does not fit goes FastAPI's own way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from inspect import iscoroutinefunction
from re import Pattern
from typing import Any, get_type_hints

from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext
from starlette.convertors import PathConvertor, StringConvertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

Resolve = Callable[[Request], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the simple kind: its arguments are parts of the path, or made of the request."""

    path: str
    pattern: Pattern[str]
    endpoint: Callable[..., Awaitable[Response]]
    request_name: str | None
    resolvers: tuple[tuple[str, Resolve], ...]

    async def serve(
        self, arguments: dict[str, Any], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Call the endpoint, and send what it returns."""
        request = Request(scope, receive, send)
        for name, resolve in self.resolvers:
            arguments[name] = await resolve(request)
        if self.request_name is not None:
            arguments[self.request_name] = request
        response = await self.endpoint(**arguments)
        await response(scope, receive, send)


class Dispatcher:
    """An ASGI application: the simple routes by a table, everything else by `otherwise`."""

    def __init__(self, contexts: Iterable[RouteContext], otherwise: ASGIApp) -> None:
        self._otherwise = otherwise
        self._exact: dict[tuple[str, str], Route] = {}
        self._by_ends: dict[tuple[str, str, str], list[Route]] = {}
        self._open_ended: dict[tuple[str, str], list[Route]] = {}
        for context in contexts:
            route = _simple(context)
            if route is None:
                continue
            for method in context.methods or ():
                self._add(method, route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        method, path = scope["method"], scope["path"]
        route = self._exact.get((method, path))
        if route is not None:
            await route.serve({}, scope, receive, send)
            return
        first = path[1:].partition("/")[0]
        last = path.rpartition("/")[2]
        for routes in (
            self._by_ends.get((method, first, last), ()),
            self._open_ended.get((method, first), ()),
        ):
            for route in routes:
                if found := route.pattern.match(path):
                    arguments = found.groupdict()
                    scope["path_params"] = arguments
                    await route.serve(dict(arguments), scope, receive, send)
                    return
        await self._otherwise(scope, receive, send)

    def _add(self, method: str, route: Route) -> None:
        if "{" not in route.path:
            self._exact.setdefault((method, route.path), route)
            return
        first = route.path[1:].partition("/")[0]
        last = route.path.rpartition("/")[2]
        if "{" in first:
            return
        if "{" in last:
            self._open_ended.setdefault((method, first), []).append(route)
        else:
            self._by_ends.setdefault((method, first, last), []).append(route)


def _simple(context: RouteContext) -> Route | None:
    """Return the route if all of its arguments are of the simple kinds."""
    endpoint, path = context.endpoint, context.path
    if endpoint is None or path is None or not _gives_response(endpoint):
        return None
    pattern, _, convertors = compile_path(path)
    if any(type(each) not in {StringConvertor, PathConvertor} for each in convertors.values()):
        return None
    dependant: Dependant | None = getattr(context, "dependant", None)
    if dependant is None:  # a plain route of Starlette's
        return None if convertors else Route(path, pattern, endpoint, "request", ())
    resolvers = [(each.name or "", _resolver(each)) for each in dependant.dependencies]
    known = tuple((name, resolve) for name, resolve in resolvers if resolve is not None)
    names = {each.name for each in dependant.path_params if each.field_info.annotation is str}
    if not _is_simple(dependant) or names != {*convertors} or len(known) < len(resolvers):
        return None
    return Route(path, pattern, endpoint, dependant.request_param_name, known)


def _gives_response(endpoint: Callable[..., Any]) -> bool:
    """Tell whether an endpoint is a coroutine function that returns a response, not a value."""
    if not iscoroutinefunction(endpoint):
        return False
    returned = get_type_hints(endpoint).get("return")
    return isinstance(returned, type) and issubclass(returned, Response)


def _resolver(dependant: Dependant) -> Resolve | None:
    """Return the dependency if it is a coroutine function of the request alone."""
    call = dependant.call
    is_plain = not (dependant.dependencies or dependant.path_params)
    if (
        not (is_plain and _is_simple(dependant))
        or dependant.request_param_name != "request"
        or not iscoroutinefunction(call)
    ):
        return None
    return call


def _is_simple(dependant: Dependant) -> bool:
    return not (
        dependant.query_params
        or dependant.header_params
        or dependant.cookie_params
        or dependant.body_params
        or dependant.websocket_param_name
        or dependant.http_connection_param_name
        or dependant.response_param_name
        or dependant.background_tasks_param_name
        or dependant.security_scopes_param_name
    )
