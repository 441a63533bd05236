"""The agents' sessions with this leader: who is there, who fell silent, what each must know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection

import structlog

from api.error_groups import first_error
from api.errors import NotFound, SkepError
from api.ids import new_object_id
from manager.core.dispatcher.arrival import (
    Arrival,
    arrived,
    gone,
    inherited,
    is_live,
    is_paused,
    paused,
)
from manager.core.dispatcher.notice import Common, Notice, common_of, notice_for
from manager.core.dispatcher.sessions import Sessions
from manager.core.objects.cluster import Cluster
from manager.core.objects.node import Node
from manager.core.store.apply import Event
from manager.core.store.command import Action
from manager.core.store.errors import LaggedBehind
from manager.core.store.query import View
from manager.core.store.tables import CLUSTERS, NODES
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match
from manager.core.swarm_spec import DEFAULT_HEARTBEAT_NS
from manager.ports.clock import Clock
from manager.ports.outcomes import NotLeader
from manager.ports.store import Store

log = structlog.get_logger(__name__)

# A dead machine is known by its silent connection; an agent that restarts is back by then.
LOST_GRACE_S = 3.5
_CHECK_S = 0.5
_LEAST_S = 0.01
_NS = 1_000_000_000


class NoSession(NotFound):
    """The session has ended, or is not this node's: the agent must register anew."""

    def __init__(self) -> None:
        super().__init__("the session has ended: register again")


class AgentSessions:
    """Sessions of one term of leadership: made on election, closed at its loss."""

    def __init__(
        self,
        node_id: str,
        store: Store,
        clock: Clock,
        silent_managers: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """Begin with none.

        silent_managers: the nodes of members of raft that the leader does not hear of.
        """
        self._node_id = node_id
        self._silent_managers = silent_managers
        self._store = store
        self._clock = clock
        self._table = Sessions(self._configured_period_s(), LOST_GRACE_S)
        self._mail: dict[str, _Mailbox] = {}
        self._common: tuple[object, Common] | None = None

    def __len__(self) -> int:
        return len(self._table)

    @property
    def period_s(self) -> float:
        """Seconds from one heartbeat to the next."""
        return self._table.period_s

    async def run(self) -> None:
        """Watch over the sessions until cancelled."""
        await self._inherit()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow())
                group.create_task(self._expire())
        except BaseExceptionGroup as errors:
            if (first := first_error(errors)) is None:
                raise
            raise first from errors

    def close(self) -> None:
        """End all sessions: this manager leads no more."""
        for mailbox in self._mail.values():
            mailbox.close(NotLeader())

    async def register(self, node_id: str, arrival: Arrival) -> str:
        """Begin a node's session and return its id; the one before ends.

        Errors:  NoSuchNode when the node was removed; NotDone, OutcomeUnknown.
        """
        self._store.view().nodes.need(node_id)
        session_id = new_object_id()
        self._end(node_id)
        self._table.register(node_id, session_id, self._clock.now_s())
        self._mail[node_id] = _Mailbox()
        # Also of a node that looks ready: what says that it is not may be on its way to the log.
        await self._write([node_id], lambda node: arrived(node, arrival))
        log.info("session.registered", node_id=node_id, address=arrival.address)
        return session_id

    def beat(self, node_id: str, session_id: str) -> float:
        """Note a heartbeat; return seconds until the next one. Errors: NoSession."""
        if not self._table.beat(node_id, session_id, self._clock.now_s()):
            raise NoSession
        return self._table.period_s

    def lose(self, node_id: str, session_id: str) -> None:
        """Note that the connection of a session broke: its agent must be back soon."""
        self._table.lose(node_id, session_id, self._clock.now_s())

    async def pause(self, node_id: str, session_id: str) -> None:
        """Note that a session's agent ends, and will be back: for leaders to come as well.

        Errors:  NoSession; NotDone, OutcomeUnknown when only this leader knows of it.
        """
        if not self._table.pause(node_id, session_id, self._clock.now_s()):
            raise NoSession
        log.info("session.paused", node_id=node_id)

        def unless_back(node: Node) -> Node:
            return paused(node) if self._table.is_current(node_id, session_id) else node

        await self._write([node_id], unless_back)

    def has(self, node_id: str) -> bool:
        """Tell whether a node has a session, its connection broken or not."""
        return self._table.has(node_id)

    def attach(
        self, node_id: str, session_id: str, on_end: Callable[[SkepError], None] | None = None
    ) -> None:
        """Have something be told when and why a session ends. Errors: NoSession if it has ended."""
        if not self._table.is_current(node_id, session_id):
            raise NoSession
        if on_end is not None:
            self._mail[node_id].on_end.append(on_end)

    async def notices(self, node_id: str, session_id: str) -> AsyncIterator[Notice]:
        """Yield what the node must know, now and whenever it changed, while the session lasts.

        Errors:  NoSession at its end; NotLeader when leadership is lost.
        """
        if not self._table.is_current(node_id, session_id):
            raise NoSession
        mailbox = self._mail[node_id]
        last: Notice | None = None
        while True:
            notice = self._notice(node_id)
            if notice != last:
                yield notice
                last = notice
            await mailbox.news()

    def _notice(self, node_id: str) -> Notice:
        view = self._store.view()
        node = view.nodes.get(node_id)
        if node is None:
            raise NoSession
        return notice_for(node, self._common_of(view))

    def _common_of(self, view: View) -> Common:
        """Return what all nodes are told; made once per change of what it is made from."""
        cluster = _cluster(view)
        managers = view.nodes.by(membership="manager")
        sources = [cluster.meta.version_index, *((node.id, node.manager) for node in managers)]
        if self._common is None or self._common[0] != sources:
            self._common = (sources, common_of(cluster, managers, self._node_id))
        return self._common[1]

    def _configured_period_s(self) -> float:
        configured_ns = _cluster(self._store.view()).spec.Dispatcher.HeartbeatPeriod
        return (configured_ns if configured_ns > 0 else DEFAULT_HEARTBEAT_NS) / _NS

    async def _follow(self) -> None:
        """Tell the sessions of what changes."""
        while True:
            try:
                with self._store.watch(Match(NODES), Match(CLUSTERS)) as changes:
                    self._tell_all()
                    async for events in changes:
                        for event in events:
                            self._take(event)
            except LaggedBehind:
                log.warning("sessions.lagged")

    def _take(self, event: Event) -> None:
        match event.object:
            case Node(id=node_id) if event.action is Action.REMOVE:
                self._end(node_id)
            case Node(id=node_id) as node:
                if node.manager != (event.old and event.old.manager):
                    self._tell_all()
                elif node_id in self._mail:
                    self._mail[node_id].tell()
            case _:
                self._table.change_period(self._configured_period_s())
                self._tell_all()

    def _tell_all(self) -> None:
        for mailbox in self._mail.values():
            mailbox.tell()

    def _end(self, node_id: str) -> None:
        self._table.remove(node_id)
        mailbox = self._mail.pop(node_id, None)
        if mailbox is not None:
            mailbox.close(NoSession())

    async def _inherit(self) -> None:
        """Expect the nodes that the leader before had; until they come nothing is known of them."""
        now_s = self._clock.now_s()
        expected = [node for node in self._store.view().nodes if is_live(node)]
        for node in expected:
            self._table.wait_for(node.id, now_s, is_paused=is_paused(node))
        await self._write_absent([node.id for node in expected], inherited)

    async def _expire(self) -> None:
        """Mark nodes as down when their time is over."""
        while True:
            now_s = self._clock.now_s()
            self._table.doubt(self._silent_managers(), now_s)
            for_down = self._table.expire(now_s)
            for node_id in for_down:
                log.warning("node.down", node_id=node_id)
                self._end(node_id)
            await self._write_absent(for_down, gone)
            await self._sleep()

    async def _sleep(self) -> None:
        """Wait until the next check; who slept longer was deaf, and its agents not silent."""
        began_s = self._clock.now_s()
        due_s = self._table.next_expiry_s()
        pause_s = _CHECK_S if due_s is None else min(max(due_s - began_s, _LEAST_S), _CHECK_S)
        await self._clock.sleep(pause_s)
        deaf_s = self._clock.now_s() - began_s - pause_s
        if deaf_s > _CHECK_S:
            log.warning("manager.was_deaf", seconds=round(deaf_s, 1))
            self._table.grant(deaf_s)

    async def _write_absent(
        self, node_ids: Collection[str], become: Callable[[Node], Node]
    ) -> None:
        """Change nodes, but none that has a session by the time that the change is made."""

        def unless_there(node: Node) -> Node:
            return node if self._table.has(node.id) else become(node)

        await self._write(node_ids, unless_there)

    async def _write(self, node_ids: Collection[str], become: Callable[[Node], Node]) -> None:
        def change(tx: Transaction) -> None:
            for node_id in node_ids:
                node = tx.nodes.get(node_id)
                if node is not None and (after := become(node)) is not node:
                    tx.nodes.update(after)

        if node_ids:
            await self._store.update(change)


class _Mailbox:
    """Wakes one session's stream. on_end hear when the session ends."""

    def __init__(self) -> None:
        self.on_end: list[Callable[[SkepError], None]] = []
        self._woken = asyncio.Event()
        self._end: SkepError | None = None

    def tell(self) -> None:
        self._woken.set()

    def close(self, why: SkepError) -> None:
        self._end = why
        self._woken.set()
        for tell in self.on_end:
            tell(why)

    async def news(self) -> None:
        """Return when there may be something new. Errors: why the session ended."""
        await self._woken.wait()
        self._woken.clear()
        if self._end is not None:
            raise self._end


def _cluster(view: View) -> Cluster:
    return next(iter(view.clusters), None) or Cluster(id="")
