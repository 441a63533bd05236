"""Nodes are told who is on the overlay networks that they have, and what changes there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from api.errors import SkepError
from manager.core.dispatcher.arrival import is_awaited
from manager.core.dispatcher.overlays import (
    NetworkChange,
    NodeOverlays,
    Touched,
    touched_by,
    touched_by_service,
)
from manager.core.network_keys import is_encrypted, keys_of
from manager.core.objects.cluster import Cluster, NetworkKey
from manager.core.objects.network import Network
from manager.core.objects.node import Node
from manager.core.objects.service import Service
from manager.core.objects.task import Task
from manager.core.store.apply import Event
from manager.core.store.command import Action
from manager.core.store.query import View
from manager.core.store.tables import CLUSTERS, NETWORKS, NODES, SERVICES, TASKS
from manager.core.store.watch import Match
from manager.loops.agent_sessions import AgentSessions
from manager.loops.feed import NEVER, follow
from manager.ports.clock import Clock
from manager.ports.store import Store

# How long what is written may take to be noted for the nodes.
_TAKEN_IN_S = 0.01
_LOOK_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a node is told: all there is, or what changed; keys where they are new to it."""

    changes: Sequence[NetworkChange]
    keys: tuple[NetworkKey, ...] | None
    is_complete: bool
    sequence: int


class OverlayLoop:
    """Streams of what is on networks, one per session. Runs while this manager leads."""

    def __init__(self, store: Store, clock: Clock, sessions: AgentSessions) -> None:
        self._store = store
        self._clock = clock
        self._sessions = sessions
        self._outboxes: dict[str, _Outbox] = {}
        self._ingress_id = ""

    async def run(self) -> None:
        """Tell nodes what changes until cancelled."""
        kinds = TASKS, SERVICES, NETWORKS, NODES, CLUSTERS
        await follow(self, self._store, self._clock, *(Match(each) for each in kinds))

    def look(self, view: View) -> None:
        """Have all nodes told everything anew: something may have been missed."""
        ingress = [each.id for each in view.networks if each.spec.Ingress]
        self._ingress_id = ingress[0] if ingress else ""
        for outbox in self._outboxes.values():
            outbox.begin_anew()

    def take(self, event: Event) -> None:
        """Note for nodes what they have to be told."""
        match event.object:
            case Task() as task:
                is_gone = event.action is Action.REMOVE
                self._note(touched_by(event.old, task, is_gone=is_gone), task.node_id)
            case Service() as service:
                self._note(touched_by_service(service, self._ingress_id))
                if event.old is not None:
                    self._note(touched_by_service(event.old, self._ingress_id))
            case Network() as network:
                if network.spec.Ingress:
                    self.look(self._store.view())
                else:
                    self._note({network.id: Touched()})
            case Node() as node:
                is_gone = event.action is Action.REMOVE
                self._take_node(None if is_gone else event.old, node)
            case Cluster() as cluster if keys_of(cluster) != keys_of(event.old):
                networks = self._store.view().networks
                self._note({each.id: Touched() for each in networks if is_encrypted(each)})

    async def act(self) -> float:
        """Let the nodes with news be told."""
        for outbox in self._outboxes.values():
            outbox.wake()
        return NEVER

    def check(self, node_id: str, session_id: str) -> None:
        """Refuse who has no session. Errors: NoSession."""
        self._sessions.attach(node_id, session_id)

    def confirm(self, node_id: str, session_id: str, sequence: int) -> None:
        """Note that a node has in its tables what it was told so far. Errors: NoSession."""
        self._sessions.attach(node_id, session_id)
        if (outbox := self._outboxes.get(node_id)) is not None:
            outbox.confirm(sequence)

    async def settled(self, node_id: str, session_id: str, limit_s: float) -> bool:
        """Return when all nodes have confirmed what there is to tell; False if that takes longer.

        Errors:  NoSession.
        """
        self._sessions.attach(node_id, session_id)
        # What is written was taken in by now, or is at the next turns of the loop.
        await self._clock.sleep(_TAKEN_IN_S)
        everything = asyncio.ensure_future(self._until_all_know())
        limit = asyncio.ensure_future(self._clock.sleep(limit_s))
        try:
            await asyncio.wait({everything, limit}, return_when=asyncio.FIRST_COMPLETED)
            return everything.done()
        finally:
            everything.cancel()
            limit.cancel()
            await asyncio.gather(everything, limit, return_exceptions=True)

    async def _until_all_know(self) -> None:
        nodes = [node.id for node in self._store.view().nodes]
        await asyncio.gather(*(self._until_it_knows(each) for each in nodes))

    async def _until_it_knows(self, node_id: str) -> None:
        # Nodes come to a new leader one by one, and lead to the task until they have. So does one
        # whose connection broke, until it is back, or known to be down.
        while True:
            node = self._store.view().nodes.get(node_id)
            is_missed = node is not None and is_awaited(node)
            outbox = None if is_missed else self._outboxes.get(node_id)
            if outbox is not None and await outbox.until_confirmed():
                return
            if not is_missed and not self._sessions.has(node_id):
                return
            await self._clock.sleep(_LOOK_AGAIN_S)

    async def changes(
        self, node_id: str, session_id: str, *, takes_targets: bool = True
    ) -> AsyncIterator[News]:
        """Yield what is on the node's networks, all of it first, while its session lasts.

        A node of an older version takes no targets alone: it is told services whole.

        Errors:  NoSession at its end; NotLeader when leadership is lost.
        """
        outbox = _Outbox()
        self._sessions.attach(node_id, session_id, outbox.close)
        self._outboxes[node_id] = outbox
        try:
            while True:
                outbox.told = NodeOverlays(node_id, takes_targets=takes_targets)
                yield outbox.tell({}, self._store.view(), is_complete=True)
                while (touched := await outbox.news()) is not None:
                    news = outbox.tell(touched, self._store.view())
                    if news.changes or news.keys is not None:
                        yield news
        finally:
            outbox.end()
            if self._outboxes.get(node_id) is outbox:
                del self._outboxes[node_id]

    def _note(self, touched: Mapping[str, Touched], node_id: str = "") -> None:
        if not touched:
            return
        for own_id, outbox in self._outboxes.items():
            outbox.add(touched, is_own=own_id == node_id)

    def _take_node(self, old: Node | None, node: Node) -> None:
        if old is not None and (
            old.data_path_address == node.data_path_address and old.networks == node.networks
        ):
            return
        touched = {each.network_id: Touched({node.id}) for each in node.networks}
        for task in self._store.view().tasks.by(node=node.id):
            for each in task.networks:
                touched.setdefault(each.network_id, Touched()).members.add(task.id)
        if self._ingress_id:
            touched.setdefault(self._ingress_id, Touched()).members.add(node.id)
        self._note(touched, node.id)


class _Outbox:
    """What one stream has to tell yet, each once. None: everything."""

    def __init__(self) -> None:
        self.told: NodeOverlays | None = None
        self._touched: dict[str, Touched] = {}
        self._is_all = False
        self._end: SkepError | None = None
        self._woken = asyncio.Event()
        self._sent = 0
        self._confirmed = 0
        self._noted = 0
        self._taken = 0
        self._is_over = False
        self._stirred = asyncio.Event()

    def tell(
        self, touched: Mapping[str, Touched], view: View, *, is_complete: bool = False
    ) -> News:
        """Return what is new for the node, where this may have changed; it is told from now on."""
        assert self.told is not None
        changes = self.told.change(touched, view)
        keys = self.told.keys(view)
        if changes or keys is not None or is_complete:
            self._sent += 1
        self._stir()
        return News(changes=changes, keys=keys, is_complete=is_complete, sequence=self._sent)

    def confirm(self, sequence: int) -> None:
        """Note that the node has all up to this message."""
        self._confirmed = max(self._confirmed, sequence)
        self._stir()

    def end(self) -> None:
        """Note that nobody listens any more."""
        self._is_over = True
        self._stir()

    async def until_confirmed(self) -> bool:
        """Return when the node has confirmed what was noted for it by now; False if it is gone."""
        noted = self._noted
        while not self._sent and not self._is_over:
            await self._stirred.wait()
        while self._taken < noted and not self._is_over:
            await self._stirred.wait()
        sent = self._sent
        while self._confirmed < sent and not self._is_over:
            await self._stirred.wait()
        return not self._is_over

    def _stir(self) -> None:
        self._stirred.set()
        self._stirred = asyncio.Event()

    def add(self, touched: Mapping[str, Touched], *, is_own: bool) -> None:
        for network_id, each in touched.items():
            if is_own or (self.told is not None and self.told.has(network_id)):
                self._touched.setdefault(network_id, Touched()).add(each)
                self._note()

    def begin_anew(self) -> None:
        self._is_all = True
        self._note()

    def wake(self) -> None:
        if self._taken < self._noted:
            self._woken.set()

    def _note(self) -> None:
        self._noted += 1

    def close(self, why: SkepError) -> None:
        self._end = why
        self._woken.set()

    async def news(self) -> dict[str, Touched] | None:
        """Return what to tell of, once there is something. Errors: why the session ended."""
        await self._woken.wait()
        self._woken.clear()
        if self._end is not None:
            raise self._end
        touched, self._touched = self._touched, {}
        is_all, self._is_all = self._is_all, False
        self._taken = self._noted
        return None if is_all else touched
