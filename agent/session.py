"""A node's session with the managers: registered with the leader, alive by heartbeats, found again.

The session follows the leader: a manager that does not lead names the one that does, one that does
not answer is left for another. What the managers want is handed up as it comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Never

import structlog

from agent.core.backoff import Backoff
from agent.core.peers import Peers
from agent.ports.chance import Chance
from agent.ports.dispatcher import Dispatcher, Dispatchers, Elsewhere, News, Registration
from api.errors import Forbidden, NotFound, SkepError, Unauthenticated, Unavailable
from engine.ports.clock import Clock

if TYPE_CHECKING:  # gRPC is heavy, and a daemon without a swarm does without
    from protos.identity.channels import Credentials

log = structlog.get_logger(__name__)

_BACKOFF = Backoff(first_s=0.1, longest_s=8.0)
# How many times in a row managers may send an agent on before it waits.
_MOST_HOPS = 3
# How much earlier than due a heartbeat may be sent, so that nodes do not beat in step.
_JITTER = 0.2
# For how many periods an answer to a heartbeat is waited for: longer there is no session any more.
_PATIENCE = 3
_DESCRIPTION_CHECK_S = 20.0
_FIRST_NEWS_TIMEOUT_S = 5.0
_PAUSE_TIMEOUT_S = 1.0


def _nothing_more(_dispatcher: Dispatcher, _session_id: str) -> Sequence[Never]:
    return ()


@dataclass(frozen=True, slots=True)
class SessionEnv:
    """What a session needs.

    `register` makes the introduction, given the session that is continued; `credentials_changed`
    returns when the next connection should be made with others; `on_news` hears what the managers
    want, `on_loss` why there is no session; `parts` go on as long as the session does.
    """

    dispatchers: Dispatchers
    clock: Clock
    chance: Chance
    credentials: Callable[[], Credentials]
    credentials_changed: Callable[[], Awaitable[None]]
    register: Callable[[str], Awaitable[Registration]]
    on_news: Callable[[News], Awaitable[None]]
    on_loss: Callable[[SkepError], None]
    parts: Callable[[Dispatcher, str], Sequence[Coroutine[Any, Any, None]]] = _nothing_more


class RemovedFromSwarm(Forbidden):
    """The managers do not know this node any more."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the managers refuse this node ({reason}): if it was removed from the swarm, let it "
            "leave (docker swarm leave --force), and join again"
        )


class NoNews(Unavailable):
    """The manager took the session and is silent, or ended it without a word."""

    def __init__(self) -> None:
        super().__init__("the manager tells nothing")


class ManagerSession:
    """Stays registered while `run` runs; `peers` are the managers known by now."""

    def __init__(self, env: SessionEnv, peers: Peers) -> None:
        self._env = env
        self.peers = peers
        self._session_id = ""
        self._failures = 0
        self._held: Dispatcher | None = None

    async def pause(self) -> None:
        """Tell the managers that this agent ends and will be back, if there is a session."""
        if self._held is None:
            return
        try:
            await self._held.pause(self._session_id, _PAUSE_TIMEOUT_S)
        except SkepError as error:
            log.info("session.not_paused", error=error.message)

    async def run(self) -> None:
        """Keep the session until cancelled."""
        leader = ""
        hops = 0
        tried: list[str] = []
        while True:
            address = leader or self.peers.choose(self._env.chance(), tried)
            leader = ""
            if address is None:
                await self._wait()
                continue
            tried = [*tried[-len(self.peers.known) :], address]
            try:
                found = await self._try(address)
            except SkepError as error:
                self._note_failure(address, error)
                await self._wait()
                continue
            if found is None:
                # Begun anew on purpose: the same manager is the right one still.
                leader, hops = address, 0
            elif found.address and hops < _MOST_HOPS:
                self.peers = self.peers.with_address(found.node_id, found.address)
                leader, hops = found.address, hops + 1
            else:
                hops = 0
                self._failures += 1
                await self._wait()

    async def _try(self, address: str) -> Elsewhere | None:
        """Hold a session with this manager to its end.

        Return where the leader is when it is not this one, None when the session is to be begun
        anew at once. Errors: SkepError when it failed.
        """
        dispatcher = self._env.dispatchers.connect(address, self._env.credentials())
        try:
            return await self._hold(dispatcher, address)
        finally:
            await dispatcher.close()

    async def _hold(self, dispatcher: Dispatcher, address: str) -> Elsewhere | None:
        registration = await self._env.register(self._session_id)
        messages = dispatcher.session(registration)
        try:
            async with asyncio.timeout(_FIRST_NEWS_TIMEOUT_S):
                first = await anext(messages)
        except (TimeoutError, StopAsyncIteration) as error:
            raise NoNews from error
        if isinstance(first, Elsewhere):
            return first
        self._failures = 0
        self._session_id = first.session_id
        self.peers = self.peers.observed(address, is_good=True)
        log.info("session.registered", manager=address, session_id=first.session_id)
        await self._hear(first)
        self._held = dispatcher
        try:
            return await _first_to_end(
                self._listen(messages),
                self._beat(dispatcher, first),
                self._until_described_anew(registration),
                self._until_credentials_change(),
                *self._env.parts(dispatcher, first.session_id),
            )
        finally:
            self._held = None

    async def _listen(self, messages: AsyncIterator[News | Elsewhere]) -> Elsewhere:
        async for news in messages:
            if isinstance(news, Elsewhere):
                return news
            await self._hear(news)
        raise NoNews

    async def _hear(self, news: News) -> None:
        self.peers = self.peers.told(news.managers)
        await self._env.on_news(news)

    async def _beat(self, dispatcher: Dispatcher, news: News) -> None:
        period_s = news.heartbeat_s
        while True:
            await self._env.clock.sleep(period_s * (1 - _JITTER * self._env.chance()))
            # A manager that is there, as its connection says, may be slow to answer under load.
            limit_s = period_s * _PATIENCE
            period_s = await dispatcher.heartbeat(news.session_id, timeout_s=limit_s)

    async def _until_described_anew(self, told: Registration) -> None:
        while True:
            await self._env.clock.sleep(_DESCRIPTION_CHECK_S)
            if (await self._env.register("")).description != told.description:
                return

    async def _until_credentials_change(self) -> None:
        await self._env.credentials_changed()

    def _note_failure(self, address: str, error: SkepError) -> None:
        self._failures += 1
        self.peers = self.peers.observed(address, is_good=False)
        log.warning("session.failed", manager=address, error=error.message)
        if isinstance(error, NotFound):
            self._session_id = ""
        is_refusal = isinstance(error, Forbidden | Unauthenticated | NotFound)
        self._env.on_loss(RemovedFromSwarm(error.message) if is_refusal else error)

    async def _wait(self) -> None:
        await self._env.clock.sleep(_BACKOFF.wait_s(self._failures, self._env.chance()))


async def _first_to_end(*parts: Coroutine[Any, Any, Elsewhere | None]) -> Elsewhere | None:
    """Return what the first to end returns, or raise; the others are cancelled then."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return next(iter(done)).result()
