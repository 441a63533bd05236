"""The local manager, there as long as the node's certificate says that it is one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import structlog

from agent.ports.certificates import Certificates
from agent.ports.manager_process import ManagerArguments, Ready
from agent.ports.node_file import NodeFile
from agent.supervisor import Supervisor
from api.types.nodes import NodeRole

log = structlog.get_logger(__name__)

Word = asyncio.Future[Ready]


class Role:
    """Runs the manager while the node is one; `leader` names a manager to join."""

    def __init__(
        self,
        supervisor: Supervisor,
        certificates: Certificates,
        file: NodeFile,
        leader: Callable[[], str],
    ) -> None:
        self._supervisor = supervisor
        self._certificates = certificates
        self._file = file
        self._leader = leader

    async def follow(self, arguments: ManagerArguments, word: Word | None = None) -> None:
        """Follow the certificate until cancelled.

        Where somebody waits for the first manager's `word`, the manager runs at once, and when it
        fails this ends with its error.
        """
        plain = replace(arguments, init=b"", join="", force_new_cluster=False)
        if word is not None:
            await self._be_manager(arguments, word)
        while True:
            if self._certificates.role is NodeRole.MANAGER:
                has_log = await self._file.has_manager()
                await self._be_manager(plain if has_log else replace(plain, join=self._leader()))
            else:
                await self._be_worker()

    async def _be_manager(self, arguments: ManagerArguments, word: Word | None = None) -> None:
        running = asyncio.ensure_future(self._supervisor.run(arguments, word))
        changing = asyncio.ensure_future(self._until(NodeRole.WORKER))
        try:
            await asyncio.wait({running, changing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changing.cancel()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        if word is not None:
            # The supervisor ended by itself, since the first manager failed.
            word.result()

    async def _be_worker(self) -> None:
        """Forget what the manager kept, its keys last of all: the node's own key outlives them."""
        if await self._file.has_manager():
            log.info("manager.demoted")
        await self._certificates.release()
        await self._file.clear_manager()
        await self._until(NodeRole.MANAGER)
        log.info("manager.promoted")

    async def _until(self, role: NodeRole) -> None:
        while self._certificates.role is not role:
            await self._certificates.changed()
