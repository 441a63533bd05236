"""The local manager kept running: started, started again when it dies, stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from agent.core.backoff import Backoff
from agent.core.standing import ManagerPhase
from agent.ports.chance import Chance
from agent.ports.manager_process import (
    Child,
    Launcher,
    ManagerArguments,
    ManagerFailed,
    Ready,
)
from api.manager_exit import REMOVED_CODE
from engine.ports.clock import Clock

log = structlog.get_logger(__name__)

_BACKOFF = Backoff(first_s=0.1, longest_s=30.0)
# A manager that served for so long has not failed in a row with the one before.
_SETTLED_NS = 10_000_000_000
_REMOVED = (
    "this node's manager was removed from the cluster; unless the node becomes a worker now, let "
    "it leave the swarm (docker swarm leave --force) and join again"
)


@dataclass(frozen=True, slots=True)
class ManagerStatus:
    """How the manager is; `error` is why it last ended, until another one serves."""

    phase: ManagerPhase = ManagerPhase.ABSENT
    error: str = ""


class _Removed(Exception):
    """The manager ended since it was removed from the cluster."""


class Supervisor:
    """One manager at a time; `on_change` is told when its status is another one."""

    def __init__(
        self, launcher: Launcher, clock: Clock, chance: Chance, on_change: Callable[[], None]
    ) -> None:
        self._launcher = launcher
        self._clock = clock
        self._chance = chance
        self._on_change = on_change
        self.status = ManagerStatus()

    async def run(
        self, arguments: ManagerArguments, first: asyncio.Future[Ready] | None = None
    ) -> None:
        """Keep a manager running until cancelled; it has ended then.

        With `first`, the first manager decides: it gives its word there or its ManagerFailed, and
        then there is no second try. What makes a cluster or joins one is asked of the first alone
        that served. One that was removed from the cluster is not started again: until this is
        cancelled, since the node is a worker now or leaves, the status says so.
        """
        try:
            await self._run(arguments, first)
        except _Removed:
            self._set(ManagerPhase.ABSENT, _REMOVED)
            log.error("manager.removed")  # noqa: TRY400 - that is all there is to say
            await asyncio.Event().wait()
        finally:
            self._set(ManagerPhase.ABSENT, "")

    async def _run(self, arguments: ManagerArguments, first: asyncio.Future[Ready] | None) -> None:
        failures = 0
        while True:
            self._set(ManagerPhase.STARTING, self.status.error)
            began_ns = self._clock.now_ns()
            has_served, error = await self._run_one(arguments, first)
            if first is not None and first.done() and first.exception() is not None:
                return
            if has_served:
                arguments = replace(arguments, init=b"", join="", force_new_cluster=False)
                if self._clock.now_ns() - began_ns > _SETTLED_NS:
                    failures = 0
            failures += 1
            wait_s = _BACKOFF.wait_s(failures, self._chance())
            log.warning("manager.ended", error=error, again_in_s=round(wait_s, 1))
            self._set(ManagerPhase.STARTING, error)
            await self._clock.sleep(wait_s)

    def unlocked(self) -> None:
        """Note that a locked manager was given its key."""
        if self.status.phase is ManagerPhase.LOCKED:
            self._set(ManagerPhase.SERVING, "")

    async def _run_one(
        self, arguments: ManagerArguments, first: asyncio.Future[Ready] | None
    ) -> tuple[bool, str]:
        """Run one manager to its end; return whether it ever served, and why it ended."""
        child: Child | None = None
        try:
            child = await self._launcher.launch(arguments)
            ready = await child.ready()
            log.info("manager.ready", node_id=ready.node_id, locked=ready.locked)
            self._set(ManagerPhase.LOCKED if ready.locked else ManagerPhase.SERVING, "")
            if first is not None and not first.done():
                first.set_result(ready)
            return True, _why(await child.ended())
        except ManagerFailed as error:
            if first is not None and not first.done():
                first.set_exception(error)
            return False, error.message
        finally:
            if child is not None:
                await child.stop()

    def _set(self, phase: ManagerPhase, error: str) -> None:
        status = ManagerStatus(phase, error)
        if status != self.status:
            self.status = status
            self._on_change()


def _why(code: int) -> str:
    """Return why a manager is to be started again. Errors: _Removed when it is not."""
    if code == REMOVED_CODE:
        raise _Removed
    return f"the manager ended with {code}"
