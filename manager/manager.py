"""The manager's root: chooses adapters, ties the parts together, and runs them to their end."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from secrets import token_bytes

import grpc.aio
import structlog
from msgspec import Struct
from starlette.types import ASGIApp

from api.errors import Conflict, SkepError
from manager.adapters.allocator_limits import share_heaps
from manager.adapters.backup_file import BackupFiles
from manager.adapters.clock import SteadyClock
from manager.adapters.external_issuer import CfsslIssuer
from manager.adapters.issuer import LocalIssuer
from manager.adapters.keys import Keys
from manager.adapters.leader_authority import GrpcLeaderAuthority
from manager.adapters.leader_logs import LeaderLogs
from manager.adapters.manager_client import ManagerClient
from manager.adapters.measured import MeasuredLog, MeasuredProposer
from manager.adapters.membership_client import MembershipClient
from manager.adapters.prometheus import PrometheusMetrics
from manager.adapters.raft_transport import GrpcPeers
from manager.beginning import Beginning, begin
from manager.cluster.env import ClusterEnv
from manager.cluster.own import ManagerEnv
from manager.collector import spared
from manager.consensus.consensus import Consensus
from manager.core.network_keys import SECRET_BYTES
from manager.core.store.tables import CLUSTERS
from manager.core.store.watch import Match
from manager.gauges import gauges
from manager.joining import join_cluster
from manager.keeping import follow_raft_spec
from manager.leader import Term, lead
from manager.locking import Lock, LockFollower
from manager.loops.agent_sessions import AgentSessions
from manager.loops.dispatch import DispatchLoop
from manager.loops.log_broker import LogBroker
from manager.loops.network_keys import NetworkKeyLoop
from manager.loops.overlays import OverlayLoop
from manager.loops.roles import RoleLoop
from manager.loops.rotate import RotationLoop
from manager.options import InitOrders, Options
from manager.ports.clock import Clock
from manager.ports.issuer import Issuer
from manager.routes import (
    cluster,
    contents,
    health,
    logs,
    networks,
    nodes,
    services,
    swarm,
    tasks,
)
from manager.routes.app import ManagerApi
from manager.routes.local_call import serve_forwarded
from manager.rpc.ca import Authority
from manager.rpc.control import Control
from manager.rpc.dispatcher import Dispatcher
from manager.rpc.logs import Logs
from manager.rpc.membership import MembershipService
from manager.rpc.overlay import Overlays
from manager.rpc.raft import RaftService
from manager.servers import Services, Switch, serve_grpc, serve_http
from manager.services_loops import services_loops
from manager.state import State
from manager.store import Store
from manager.trust import Standing
from manager.view import ManagerView
from protos.identity.channels import Credentials

log = structlog.get_logger(__name__)

_ROUTES = (
    cluster,
    contents,
    health,
    logs,
    networks,
    nodes,
    services,
    swarm,
    tasks,
)
_HAND_OVER_LIMIT_S = 1.5
# How long a manager that was removed lives on: its node ends it in time where it becomes a worker,
# and a request to leave is answered yet.
_LAST_ANSWERS_S = 10.0


class RemovedFromCluster(Conflict):
    """The manager is none any more, and its log will never be let in again."""

    def __init__(self) -> None:
        super().__init__(
            "this manager was removed from the cluster: it cannot come back with the state that it "
            "has; let its node leave the swarm and join again, or promote it anew"
        )


class Ready(Struct, frozen=True):
    """What is told once the socket serves."""

    node_id: str
    is_locked: bool


Announce = Callable[[Ready], None]
Show = Callable[[ASGIApp], Awaitable[None]]


async def run(
    options: Options, orders: InitOrders, announce: Announce, stop: asyncio.Event
) -> None:
    """Run a manager until `stop` is set; `announce` hears when its socket serves.

    Errors:  SkepError when it cannot begin, and what it made is gone then; LogFailed and its kin
             when it cannot go on, RemovedFromCluster when it may not.
    """
    share_heaps()
    clock = SteadyClock()
    state = State(options.state_dir, Keys(options.state_dir, clock.now_s))
    lock = Lock(state.keys)
    switch = Switch(lock.app)
    async with AsyncExitStack() as stack:
        stack.callback(state.unmake)
        is_locked = await state.is_locked()

        async def serve(node_id: str) -> None:
            state.keep()
            await stack.enter_async_context(serve_http(switch, options.socket))
            announce(Ready(node_id, is_locked))

        if is_locked:
            await serve((await state.identity()).node_id)
            await _first(lock.opened.wait(), stop.wait())
            if stop.is_set():
                return
        manager = await _open(state, options, orders, clock)

        async def show(app: ASGIApp) -> None:
            switch.app = app
            if not is_locked:
                await serve(manager.identity.node_id)

        with spared(manager.changes):
            await manager.run(show, stop)


async def _open(state: State, options: Options, orders: InitOrders, clock: Clock) -> Manager:
    issuer = LocalIssuer()
    beginning = await begin(state, options, orders, issuer, clock)
    try:
        return Manager(state, options, beginning, await state.credentials(), issuer, clock)
    except BaseException:
        await beginning.log.log.close()
        raise


class Manager:
    """One manager with an open state: everything is made here, and moves in `run` alone."""

    def __init__(
        self,
        state: State,
        options: Options,
        beginning: Beginning,
        credentials: Credentials,
        issuer: Issuer,
        clock: Clock,
    ) -> None:
        self.identity = beginning.identity
        self._options = options
        self._beginning = beginning
        self._state = state
        self._clock = clock
        self._store = Store(time.time_ns)
        self._metrics = PrometheusMetrics(lambda: gauges(self._consensus, self._store))
        self._client = ManagerClient(self._open_channel)
        self._standing = Standing(
            self.identity, credentials, state, self._store, self._client.reset
        )
        self._log = MeasuredLog(beginning.log.log, self._metrics.wrote)
        self._consensus = Consensus(
            seat=beginning.log.seat,
            log=self._log,
            stored=beginning.log.stored,
            peers=GrpcPeers(beginning.log.stored.raft_id, options.advertise, self._open_channel),
            machine=self._store,
            clock=clock,
            random_below=random.SystemRandom().randrange,
        )
        self._lock = LockFollower(state.keys, self._store, self._consensus, clock)
        self._view = ManagerView(self.identity.node_id, self._consensus, self._client)
        self._sessions: AgentSessions | None = None
        self._dispatch: DispatchLoop | None = None
        self._broker: LogBroker | None = None
        self._overlays: OverlayLoop | None = None
        self._keys: NetworkKeyLoop | None = None
        self._env = ClusterEnv(
            node_id=self.identity.node_id,
            store=self._store,
            members=self._view,
            issuer=issuer,
            external_issuer=CfsslIssuer(lambda: self._standing.credentials),
            logs=LeaderLogs(
                lambda: self._broker, lambda: self._consensus.leader_address, self._open_channel
            ),
            note_key_shown=self._lock.note_shown,
        )
        self.app = self._make_app()

    def changes(self) -> int:
        """Return how many objects were changed since this manager began."""
        return self._store.changes

    async def run(self, show: Show, stop: asyncio.Event) -> None:
        """Take part until `stop` is set; `show` is given the application once it is of use."""
        try:
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(self._consensus.run())]
                await self._consensus.running()
                proposer = MeasuredProposer(self._consensus, self._metrics.proposed)
                running += [
                    group.create_task(self._store.run(proposer)),
                    group.create_task(self._standing.follow()),
                    group.create_task(self._lock.run()),
                    group.create_task(follow_raft_spec(self._store, self._consensus)),
                    group.create_task(lead(self._view, self._begin_term, self._clock)),
                    group.create_task(self._end_if_removed()),
                ]
                async with serve_grpc(self._services(), self._options.listen, self._standing):
                    await self._enter()
                    await show(self.app)
                    await stop.wait()
                    await self._hand_over()
                for task in running:
                    task.cancel()
        finally:
            await self._client.reset()
            await self._log.close()

    async def _end_if_removed(self) -> None:
        await self._consensus.removed.wait()
        await self._clock.sleep(_LAST_ANSWERS_S)
        raise RemovedFromCluster

    async def _enter(self) -> None:
        """Return once this manager is of a cluster, and knows it."""
        if self._beginning.log.is_joining:
            await join_cluster(
                MembershipClient(self._open_channel),
                self._options.join,
                self._beginning.log.stored.raft_id,
                self._beginning.log.seat,
                self._clock,
            )
        if self._beginning.first_change is not None:
            await self._view.gained()
            await self._store.update(self._beginning.first_change)
        if self._options.init or self._options.join:
            await self._until_known()

    async def _until_known(self) -> None:
        with self._store.watch(Match(CLUSTERS)) as changes:
            while not len(self._store.view().clusters):
                await anext(changes)

    async def _hand_over(self) -> None:
        """Let another manager lead before this one goes, if there is one."""
        if not self._consensus.is_leader:
            return
        with suppress(SkepError, TimeoutError):
            async with asyncio.timeout(_HAND_OVER_LIMIT_S):
                await self._consensus.membership.transfer_leadership()

    def _begin_term(self) -> Term:
        """Make what lives as long as this manager leads."""
        node_id = self.identity.node_id
        self._sessions = sessions = AgentSessions(
            node_id, self._store, self._clock, self._view.silent_managers
        )
        roles = RoleLoop(node_id, self._store, self._view)
        rotation = RotationLoop(self._store, self._env.issuer)
        self._keys = keys = NetworkKeyLoop(
            self._store, self._clock, time.time_ns, partial(token_bytes, SECRET_BYTES)
        )
        self._dispatch = dispatch = DispatchLoop(self._store, self._clock, sessions)
        self._broker = broker = LogBroker(self._store, self._clock, sessions)
        self._overlays = overlays = OverlayLoop(self._store, self._clock, sessions)

        def close() -> None:
            self._sessions = self._dispatch = self._broker = self._overlays = self._keys = None
            broker.close()
            sessions.close()

        loops = {
            "sessions": sessions.run,
            "roles": roles.run,
            "rotation": rotation.run,
            "dispatch": dispatch.run,
            "logs": broker.run,
            "overlays": overlays.run,
            "network keys": keys.run,
            **services_loops(self._store, self._clock),
        }
        return Term(loops, close)

    def _make_app(self) -> ManagerApi:
        app = ManagerApi(self._consensus, self._client)
        app.state.cluster_env = self._env
        app.state.manager_env = ManagerEnv(
            leadership=self._consensus,
            members=self._view,
            statuses=self._view,
            store=self._store,
            backups=BackupFiles(),
            metrics=self._metrics,
            clock=self._clock,
        )
        for routes in _ROUTES:
            app.include_router(routes.router)
        app.prepare()
        return app

    def _services(self) -> Services:
        return Services(
            raft=RaftService(self._consensus.inbound),
            membership=MembershipService(self._consensus.membership),
            control=Control(partial(serve_forwarded, self.app), self._view.own),
            dispatcher=Dispatcher(
                lambda: self._sessions, lambda: self._dispatch, self._view.leader
            ),
            overlays=Overlays(lambda: self._overlays, lambda: self._keys, self._store, self._clock),
            authority=Authority(
                self._env, self._consensus, GrpcLeaderAuthority(lambda: self._standing.credentials)
            ),
            logs=Logs(lambda: self._broker),
        )

    def _open_channel(self, address: str) -> grpc.aio.Channel:
        return self._standing.open_channel(address)


async def _first(*waits: Awaitable[object]) -> None:
    """Return when the first of them is over; the others are cancelled."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
