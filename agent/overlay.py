"""The node's overlay networks, kept as the managers tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import structlog

from agent.core.backoff import Backoff
from agent.core.overlay_news import NetworkNews, OverlayKey, OverlayNews, Place, together
from agent.ports.dispatcher import Dispatcher
from agent.ports.overlay import OverlayPlane
from agent.session import NoNews
from api.errors import SkepError, Unavailable, Unsupported
from api.types.cluster_networks import ClusterNetwork
from engine.ports.clock import Clock

log = structlog.get_logger(__name__)

_DROP_AGAIN_S = 2.0
_APPLY_AGAIN = Backoff(first_s=2.0, longest_s=60.0)
_KEEP_AGAIN_S = 0.5
# Streams that nobody answers are refused soon after their target was taken out; datagrams find
# another one after fifteen times this to thirty.
_LOOK_AT_FLOWS_S = 1.0
_AGE_FLOWS_AFTER_LOOKS = 14
_LOOK_AT_KEYS_S = 60.0
# How long the end of a task may wait for nodes that do not say that they know of it: longer than it
# takes until one whose connection broke is back, or known to be down.
_SETTLE_S = 5.0


class NoManagers(Unavailable):
    """Addresses on networks of the cluster are given by managers, and none is reached."""

    def __init__(self) -> None:
        super().__init__("no manager is reached, which would give an address on the network")


class NodeOverlays:
    """The overlay networks of this node.

    node_id and address, where this node's tunnels are, are asked when they are needed.
    """

    def __init__(
        self,
        plane: OverlayPlane,
        clock: Clock,
        node_id: Callable[[], str],
        address: Callable[[], str],
    ) -> None:
        self._plane = plane
        self._clock = clock
        self._node_id = node_id
        self._address = address
        self._leaving: set[str] = set()
        self._left = asyncio.Event()
        self._session: tuple[Dispatcher, str] | None = None
        self._attaching = 0
        self._none_attaches = asyncio.Event()
        self._none_attaches.set()
        self._keeping = asyncio.Lock()

    @property
    def is_told(self) -> bool:
        """Whether managers tell of networks, and could be told something."""
        return self._session is not None

    async def settle(self) -> None:
        """Return when all nodes know that a task of this node gets nothing new, or soon.

        Call it when the managers want the task to end. Without managers nobody can be told.
        """
        if self._session is None:
            return
        dispatcher, session_id = self._session
        try:
            if not await dispatcher.settle_overlays(session_id, _SETTLE_S):
                log.info("overlay.not_settled", after_s=_SETTLE_S)
        except SkepError as error:
            log.info("overlay.not_settled", reason=error.message)

    async def attach(
        self, container_id: str, network: str, names: Sequence[str], addresses: Sequence[str] = ()
    ) -> Place:
        """Return a container's place on a network, which is known from now on.

        Errors:  NotFound, Forbidden, ... of the managers; NoManagers without a session.
        """
        async with self._keeping:
            if self._session is None:
                raise NoManagers
            dispatcher, session_id = self._session
            if addresses and self._left.is_set():
                # What is asked for may be the place of a container that has just gone.
                await self._give_places_up(dispatcher, session_id)
            self._attaching += 1
            self._none_attaches.clear()
        try:
            place = await dispatcher.attach(session_id, container_id, network, names, addresses)
            await self.put(place.network)
        finally:
            self._attaching -= 1
            if not self._attaching:
                self._none_attaches.set()
        return place

    def detached(self) -> None:
        """Note that a container left a network: its place is given up soon."""
        self._left.set()

    async def put(self, network: ClusterNetwork) -> None:
        """Know a network that a task needs. Errors: SkepError."""
        self._leaving.discard(network.ID)
        await self._plane.put(network, self._address())

    def part_of(self, dispatcher: Dispatcher, session_id: str) -> list[Coroutine[Any, Any, None]]:
        """Return what belongs to a session: news taken over, and networks without use dropped."""
        return [
            self._listen(dispatcher, session_id),
            self._drop_unused(),
            self._keep_places(dispatcher, session_id),
            self._age_flows(),
            self._watch_keys(dispatcher, session_id),
        ]

    async def take_over(self, news: OverlayNews) -> bool:
        """Take over what is new, and tell whether all of it could be.

        What one network cannot have is the others' no matter.
        """
        is_whole = True
        if news.is_complete:
            self._leaving |= self._plane.known() - {each.network_id for each in news.networks}
        for network in news.networks:
            try:
                await self._take_over(network)
            except SkepError as error:
                log.warning("overlay.not_applied", network=network.network_id, error=error.message)
                is_whole = False
        # After a start they come when the peers are known, so that what is in the kernel serves on.
        if news.keys is not None:
            is_whole = await self._set_keys(news.keys) and is_whole
        return is_whole

    async def _set_keys(self, keys: Sequence[OverlayKey]) -> bool:
        try:
            await self._plane.set_keys(keys)
        except SkepError as error:
            log.warning("overlay.keys_not_applied", error=error.message)
            return False
        return True

    async def _take_over(self, news: NetworkNews) -> None:
        if news.is_gone:
            self._leaving.add(news.network_id)
            return
        if news.network is not None:
            await self.put(news.network)
        await self._plane.apply(news, self._node_id())

    async def _listen(self, dispatcher: Dispatcher, session_id: str) -> None:
        failures = 0
        try:
            while not await self._follow(dispatcher, session_id, _APPLY_AGAIN.wait_s(failures, 0)):
                failures += 1
        except Unsupported as error:
            log.warning("overlay.not_told", reason=error.message)
            await asyncio.get_running_loop().create_future()
        finally:
            self._session = None
        raise NoNews

    async def _follow(self, dispatcher: Dispatcher, session_id: str, again_s: float) -> bool:
        """Take over what is told, to its end; False when all is to be told anew.

        That is a while after something could not be applied: its cause may be gone then.
        """
        inbox = _Inbox()
        hearing = asyncio.ensure_future(inbox.hear(dispatcher.overlays(session_id)))
        again: asyncio.Future[None] | None = None
        try:
            while (news := await inbox.next()) is not None:
                self._session = dispatcher, session_id
                if not await self.take_over(news) and again is None:
                    again = asyncio.ensure_future(self._end_later(inbox, again_s))
                await dispatcher.confirm_overlays(session_id, news.sequence)
            if not hearing.done():
                return False
            await hearing
            return True
        finally:
            parts = [each for each in (hearing, again) if each is not None]
            for each in parts:
                each.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    async def _end_later(self, inbox: _Inbox, after_s: float) -> None:
        await self._clock.sleep(after_s)
        inbox.end()

    async def _keep_places(self, dispatcher: Dispatcher, session_id: str) -> None:
        """Give up the places of containers that are gone, those of a crash too."""
        self._left.set()
        while True:
            await self._left.wait()
            if self._session is not None:
                async with self._keeping:
                    await self._give_places_up(dispatcher, session_id)
            await self._clock.sleep(_KEEP_AGAIN_S)

    async def _give_places_up(self, dispatcher: Dispatcher, session_id: str) -> None:
        # A place that is being given is not on the list yet.
        await self._none_attaches.wait()
        self._left.clear()
        try:
            await dispatcher.keep_attachments(session_id, self._plane.attached())
        except BaseException:
            self._left.set()
            raise

    async def _age_flows(self) -> None:
        while True:
            for _ in range(_AGE_FLOWS_AFTER_LOOKS):
                await self._clock.sleep(_LOOK_AT_FLOWS_S)
                await self._plane.look_at_flows()
            await self._clock.sleep(_LOOK_AT_FLOWS_S)
            await self._plane.age_flows()

    async def _watch_keys(self, dispatcher: Dispatcher, session_id: str) -> None:
        while True:
            await self._clock.sleep(_LOOK_AT_KEYS_S)
            try:
                if await self._plane.are_keys_worn():
                    await dispatcher.renew_keys(session_id)
            except SkepError as error:
                log.warning("overlay.keys_not_renewed", error=error.message)

    async def _drop_unused(self) -> None:
        while True:
            await self._clock.sleep(_DROP_AGAIN_S)
            for network_id in sorted(self._leaving):
                try:
                    if await self._plane.drop(network_id):
                        self._leaving.discard(network_id)
                except SkepError as error:
                    log.warning("overlay.not_dropped", network=network_id, error=error.message)


class _Inbox:
    """News that wait: those that come while others are taken over become one."""

    def __init__(self) -> None:
        self._waiting: OverlayNews | None = None
        self._is_over = False
        self._stirred = asyncio.Event()

    async def hear(self, told: AsyncIterator[OverlayNews]) -> None:
        """Take in all that is told, to its end. Errors: those of the stream."""
        try:
            async for news in told:
                waiting = self._waiting
                self._waiting = news if waiting is None else together(waiting, news)
                self._stirred.set()
        finally:
            self.end()

    def end(self) -> None:
        """Wait for nothing more."""
        self._is_over = True
        self._stirred.set()

    async def next(self) -> OverlayNews | None:
        """Return what is new, once there is something; None at the end."""
        while self._waiting is None and not self._is_over:
            self._stirred.clear()
            await self._stirred.wait()
        news, self._waiting = self._waiting, None
        return news


def parts_together(
    *parts: Callable[[Dispatcher, str], Sequence[Coroutine[Any, Any, None]]],
) -> Callable[[Dispatcher, str], Sequence[Coroutine[Any, Any, None]]]:
    """Return all that belongs to a session, of several owners."""

    def together(dispatcher: Dispatcher, session_id: str) -> list[Coroutine[Any, Any, None]]:
        return [each for part in parts for each in part(dispatcher, session_id)]

    return together
