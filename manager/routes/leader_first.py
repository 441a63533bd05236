"""Where a request is served: reads on any manager, behind a read barrier; writes by the leader."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from starlette.requests import Request as HttpRequest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.bodies import read_body
from api.swarm_errors import NoLeader
from api.versions import spell
from manager.ports.leadership import Leader, Leadership, Reply, Request
from manager.ports.outcomes import NotDone, NotLeader, OutcomeUnknown

# An election takes a second or two; whoever waits longer waits for a quorum that is not there.
LEADER_WAIT_S = 4.0
# Changes take milliseconds; this limit is for a leader that is there and does not answer.
FORWARD_LIMIT_S = 30.0
# What is on its way may still come in when another leader is known.
_LAST_WORD_S = 0.5
_PAUSE_S = 0.05

FORWARDED = "forwarded"


class Forwarded:
    """Stands in a scope's state under FORWARDED; says afterwards if the request was not served."""

    not_done: NotDone | None = None


_READS = frozenset({"GET", "HEAD"})
# What a manager answers about itself alone, leader or none.
_OWN = ("/health/", "/metrics", "/cluster/", "/info", "/swarm/unlock", "/swarm/leave")
_OWN_EXCEPTIONS = frozenset({"/swarm/unlockkey"})


class LeaderFirst:
    """An ASGI application that serves `app` here, or has the leader serve the request.

    A write that certainly was not done, since leadership moved, is tried again until
    `LEADER_WAIT_S` are over. One that may have been done ends as OutcomeUnknown.
    A request with a `Forwarded` in its scope's state came from another manager, and goes no
    further: managers that each think that the other one leads do not pass it to and fro.
    """

    def __init__(self, app: ASGIApp, leadership: Leadership, leader: Leader) -> None:
        self._app = app
        self._leadership = leadership
        self._leader = leader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Errors: NoLeader, OutcomeUnknown, and what the routes raise."""
        forwarded: Forwarded | None = scope["state"].get(FORWARDED)
        if forwarded is not None:
            await self._serve_forwarded(forwarded, scope, receive, send)
        elif _is_own(scope["path"]):
            await self._app(scope, receive, send)
        elif scope["method"] in _READS:
            await self._leadership.read_barrier()
            await self._app(scope, receive, send)
        else:
            await self._write(scope, receive, send)

    async def _serve_forwarded(
        self, forwarded: Forwarded, scope: Scope, receive: Receive, send: Send
    ) -> None:
        try:
            if not self._leadership.is_leader:
                raise NotLeader
            await self._app(scope, receive, send)
        except NotDone as error:
            forwarded.not_done = error
            raise

    async def _write(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(HttpRequest(scope, receive))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LEADER_WAIT_S
        while True:
            try:
                await self._attempt(scope, body, receive, send)
            except NotDone as error:
                if loop.time() + _PAUSE_S > deadline:
                    raise NoLeader from error
                await asyncio.sleep(_PAUSE_S)
            else:
                return

    async def _attempt(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        """Serve a write where the leader is now. Errors: NotDone, OutcomeUnknown."""
        if self._leadership.is_leader:
            await self._app(scope, _replay(body, receive), send)
            return
        address = self._leadership.leader_address
        if address is None:
            raise NotLeader
        await _send_reply(send, await self._ask(address, _request(scope, body)))

    async def _ask(self, address: str, request: Request) -> Reply:
        """Return the leader's answer; give up when another one leads.

        Errors:  NotDone; OutcomeUnknown when the answer did not come.
        """
        if not await self._unless_lost(address, self._leader.connect(address), patience_s=0):
            raise NotLeader
        asked = asyncio.ensure_future(self._leader.forward(address, request))
        if not await self._unless_lost(address, asked, patience_s=_LAST_WORD_S):
            raise OutcomeUnknown
        return asked.result()

    async def _unless_lost(self, address: str, work: Awaitable[object], patience_s: float) -> bool:
        """Do the work; tell whether it came to its end before the leader was lost.

        patience_s:  how long it may take yet when the leader is lost.
        Errors:  what the work raises.
        """
        task = asyncio.ensure_future(work)
        lost = asyncio.ensure_future(self._leadership.lost(address))
        try:
            await asyncio.wait(
                (task, lost), timeout=FORWARD_LIMIT_S, return_when=asyncio.FIRST_COMPLETED
            )
            if not task.done():
                await asyncio.wait((task,), timeout=patience_s)
            if task.done():
                task.result()
                return True
            return False
        finally:
            task.cancel()
            lost.cancel()


def _is_own(path: str) -> bool:
    return path.startswith(_OWN) and path not in _OWN_EXCEPTIONS


def _request(scope: Scope, body: bytes) -> Request:
    """Return the request as it came, with its version."""
    version = spell(scope["state"]["api_version"])
    return Request(
        method=scope["method"],
        path=f"/v{version}{scope['path']}",
        query=scope["query_string"],
        headers=tuple(scope["headers"]),
        body=body,
    )


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body in one piece, and then what else comes."""
    is_given = False

    async def replayed() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def _send_reply(send: Send, reply: Reply) -> None:
    headers = list(reply.headers)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body, "more_body": False})
