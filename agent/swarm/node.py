"""What a node does while it is in a swarm: certificate, session, and the manager where it is one.

All of it follows the certificate. A manager runs as long as the certificate says manager; another
role is another certificate, asked for when the session tells that the managers want it so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

import msgspec
import structlog

from agent.core.addresses import split
from agent.core.backoff import Backoff
from agent.core.node_state import KnownManager, NodeState
from agent.core.peers import Peers
from agent.core.standing import ManagerPhase, Standing
from agent.overlay import NodeOverlays, parts_together
from agent.ports.certificates import Certificates
from agent.ports.chance import Chance
from agent.ports.dispatcher import Dispatchers, News, Registration
from agent.ports.manager_process import Launcher, ManagerArguments
from agent.ports.node_file import NodeFile
from agent.session import ManagerSession, RemovedFromSwarm, SessionEnv
from agent.supervisor import Supervisor
from agent.swarm.beginning import Beginning, Create, Join, Resume
from agent.swarm.role import Role, Word
from agent.swarm.signal import Signal
from agent.worker import Worker
from api.error_groups import first_error
from api.errors import SkepError, Unavailable
from api.types.nodes import NodeDescription
from engine.ports.clock import Clock

if TYPE_CHECKING:  # gRPC is heavy, and a daemon without a swarm does without
    from protos.identity.channels import Credentials

log = structlog.get_logger(__name__)

_EVENTS_RETRY_S = 1.0
_JOIN_BACKOFF = Backoff(first_s=0.5, longest_s=30.0)


@dataclass(frozen=True, slots=True)
class NodeEnv:
    """What a node needs; `follow_events` tells of the cluster while the local manager serves."""

    file: NodeFile
    certificates: Certificates
    launcher: Launcher
    dispatchers: Dispatchers
    clock: Clock
    chance: Chance
    describe: Callable[[], Awaitable[NodeDescription]]
    worker: Worker
    follow_events: Callable[[], Awaitable[None]]
    overlays: NodeOverlays


class Node:
    """A node in its swarm, from `start` to `stop`."""

    def __init__(self, env: NodeEnv, state: NodeState) -> None:
        self._env = env
        self.state = state
        self._changed = Signal()
        self._supervisor = Supervisor(env.launcher, env.clock, env.chance, self._changed.give)
        self._task: asyncio.Task[None] | None = None
        self._session: ManagerSession | None = None
        self._has_session = False
        self._refusal = ""
        self._failure = ""

    def start(self, beginning: Beginning) -> None:
        """Begin; `ready` tells how it went."""
        self._task = asyncio.create_task(self._run(beginning), name="swarm.node")
        self._task.add_done_callback(self._on_end)

    async def pause(self) -> None:
        """Tell the managers that this node's agent ends, and that its tasks go on meanwhile."""
        if self._session is not None:
            await self._session.pause()

    async def stop(self) -> None:
        """End the session and the manager; what is on the disk stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    @property
    def standing(self) -> Standing:
        """The node's place as it is now."""
        return Standing(
            in_swarm=True,
            role=self._env.certificates.role,
            manager=self._supervisor.status.phase,
            has_session=self._has_session,
            is_expired=self._env.certificates.is_expired,
            error=self._supervisor.status.error or self._refusal or self._failure,
        )

    @property
    def node_id(self) -> str:
        """The node's id, "" before it has one."""
        return self._env.certificates.node_id

    @property
    def data_path_address(self) -> str:
        """Where this node's tunnels of overlay networks are."""
        return self.state.data_path or split(self.state.advertise, 0)[0]

    async def ready(self) -> None:
        """Return when the node is whole: known to the managers, and serving where it is one.

        A manager that waits for its key is as whole as it can be.
        Errors:  what kept it from beginning, for ever.
        """
        await self._changed.until(self._is_settled)
        if self._task is not None and self._task.done():
            await self._task

    async def changed(self, condition: Callable[[Standing], bool]) -> None:
        """Return when the node's place is one that meets the condition."""
        await self._changed.until(lambda: condition(self.standing))

    async def unlocked(self, unlock_key: str) -> None:
        """Note that the manager took its key, which opens the node's own key too."""
        await self._env.certificates.unlock(unlock_key)
        self._supervisor.unlocked()

    def _is_settled(self) -> bool:
        if self._task is None or self._task.done():
            return True
        phase = self._supervisor.status.phase
        if phase is ManagerPhase.LOCKED:
            return True
        serves = phase is ManagerPhase.SERVING or not self.standing.is_manager
        return self._has_session and serves

    def _on_end(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failure = str(error)
            log.error("swarm.failed", error=self._failure, exc_info=_unexpected(error))
        self._changed.give()

    async def _run(self, beginning: Beginning) -> None:
        try:
            if not isinstance(beginning, Create):
                await self._get_certificate(is_patient=isinstance(beginning, Resume))
            async with asyncio.TaskGroup() as group:
                await self._begin(group, beginning)
                group.create_task(self._env.worker.run(), name="swarm.tasks")
                group.create_task(self._keep_session(), name="swarm.session")
                group.create_task(self._follow_events(), name="swarm.events")
                group.create_task(
                    self._env.certificates.keep(self._managers), name="swarm.certificate"
                )
        except BaseExceptionGroup as errors:
            if (first := first_error(errors)) is None:
                raise
            raise first from errors

    async def _get_certificate(self, *, is_patient: bool) -> None:
        """Load the certificate, or get the first one; with patience also where nobody answers."""
        pending = self.state.pending
        await self._env.certificates.load()
        failures = 0
        while pending is not None and self._env.certificates.role is None:
            try:
                await self._env.certificates.join(
                    pending.remotes, pending.token, pending.availability
                )
            except Unavailable as error:
                if not is_patient:
                    raise
                failures += 1
                self._refusal = error.message
                self._changed.give()
                wait_s = _JOIN_BACKOFF.wait_s(failures, self._env.chance())
                log.warning("swarm.join_failed", error=error.message, again_in_s=round(wait_s, 1))
                await self._env.clock.sleep(wait_s)
        self._refusal = ""
        if pending is not None:
            await self._save(msgspec.structs.replace(self.state, pending=None))

    async def _begin(self, group: asyncio.TaskGroup, beginning: Beginning) -> None:
        """Start what follows the role; where a cluster begins, return when it has begun."""
        arguments = ManagerArguments(
            state_dir=self._env.file.directory,
            listen=self.state.listen,
            advertise=self.state.advertise,
        )
        role = Role(self._supervisor, self._env.certificates, self._env.file, self._leader)
        match beginning:
            case Create(orders=orders):
                arguments = replace(arguments, init=orders)
            case Resume(force_new_cluster=True):
                arguments = replace(arguments, force_new_cluster=True)
            case Join() | Resume():
                group.create_task(role.follow(arguments), name="swarm.role")
                return
            case _:
                assert_never(beginning)
        word: Word = asyncio.get_running_loop().create_future()
        group.create_task(role.follow(arguments, word), name="swarm.role")
        await word
        await self._env.certificates.load()
        await self._save(self.state)

    async def _keep_session(self) -> None:
        while self._env.certificates.credentials is None:
            await self._env.certificates.changed()
        peers = Peers().told((each.node_id, each.address) for each in self.state.managers)
        self._session = ManagerSession(
            SessionEnv(
                dispatchers=self._env.dispatchers,
                clock=self._env.clock,
                chance=self._env.chance,
                credentials=self._credentials,
                credentials_changed=self._until_credentials_change,
                register=self._registration,
                on_news=self._on_news,
                on_loss=self._on_loss,
                parts=parts_together(self._env.worker.part_of, self._env.overlays.part_of),
            ),
            peers,
        )
        await self._session.run()

    async def _follow_events(self) -> None:
        while True:
            await self.changed(lambda standing: standing.manager is ManagerPhase.SERVING)
            try:
                await self._env.follow_events()
            except SkepError as error:
                log.debug("swarm.events_missed", reason=error.message)
            await self._env.clock.sleep(_EVENTS_RETRY_S)

    async def _registration(self, previous_session_id: str) -> Registration:
        host, _ = split(self.state.advertise, 0)
        return Registration(
            description=msgspec.structs.replace(
                await self._env.describe(), TLSInfo=self._env.certificates.tls_info()
            ),
            previous_session_id=previous_session_id,
            address=host,
            manager_address=self.state.advertise,
            data_path_address=self.data_path_address,
        )

    async def _on_news(self, news: News) -> None:
        self._has_session = True
        self._refusal = ""
        certificates = self._env.certificates
        await certificates.trust(news.roots)
        if news.renew_certificate or news.role is not certificates.role:
            certificates.want()
        managers = tuple(KnownManager(*each) for each in news.managers)
        if managers and managers != self.state.managers:
            await self._save(msgspec.structs.replace(self.state, managers=managers))
        self._changed.give()

    def _on_loss(self, error: SkepError) -> None:
        self._refusal = error.message if isinstance(error, RemovedFromSwarm) else ""
        self._changed.give()

    def _credentials(self) -> Credentials:
        credentials = self._env.certificates.credentials
        assert credentials is not None
        return credentials

    async def _until_credentials_change(self) -> None:
        before = self._env.certificates.credentials
        while self._env.certificates.credentials in (before, None):
            await self._env.certificates.changed()

    def _managers(self) -> list[str]:
        if self._session is None:
            return [each.address for each in self.state.managers]
        known = sorted(self._session.peers.known, key=lambda each: -each.standing)
        return [each.address for each in known]

    def _leader(self) -> str:
        others = [each for each in self._managers() if each != self.state.advertise]
        return others[0] if others else self.state.advertise

    async def _save(self, state: NodeState) -> None:
        await self._env.file.save(state)
        self.state = state


def _unexpected(error: BaseException) -> BaseException | None:
    return None if isinstance(error, SkepError) else error
