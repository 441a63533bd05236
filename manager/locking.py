"""The lock on a manager's keys: opened by the operator, followed as the cluster changes it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from api.swarm_errors import NoLeader
from manager.adapters.keys import Keys
from manager.consensus.consensus import Consensus
from manager.core.store.errors import LaggedBehind
from manager.core.store.tables import CLUSTERS
from manager.core.store.watch import Match
from manager.ports.clock import Clock
from manager.routes.locked import locked_api
from manager.store import Store
from protos.identity.tokens import parse_unlock_key

log = structlog.get_logger(__name__)

# How long a new key is waited with while nobody asks for it here.
_UNSEEN_LIMIT_S = 30.0
# How long an answer that shows a key may be on its way.
_ON_ITS_WAY_S = 0.2
_PAUSE_S = 0.5


class Lock:
    """A locked manager's door. `opened` is set once the keys are in hand."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._turn = asyncio.Lock()
        self.opened = asyncio.Event()
        self.app = locked_api(self.unlock)

    async def unlock(self, text: str) -> None:
        """Open the keys. Errors: InvalidUnlockKey, TooManyTries; SwarmNotLocked afterwards."""
        async with self._turn:
            await asyncio.to_thread(self._keys.unlock, parse_unlock_key(text))
        log.info("manager.unlocked")
        self.opened.set()


class LockFollower:
    """Keeps a manager's keys locked as the cluster wants it.

    A key that nobody has seen yet must not be the only one that opens a manager's data: a power
    cut in that moment would lose the cluster. So the lock follows a new key once somebody was
    shown it here, or after a while, when another manager has shown it.
    """

    def __init__(self, keys: Keys, store: Store, consensus: Consensus, clock: Clock) -> None:
        self._keys = keys
        self._store = store
        self._consensus = consensus
        self._clock = clock
        self._shown_key: bytes | None = None
        self._shown = asyncio.Event()

    def note_shown(self) -> None:
        """Note that somebody is shown the cluster's key right now."""
        self._shown_key = self._wanted()
        self._shown.set()

    async def run(self) -> None:
        """Follow until cancelled; what an end in the middle left to do is done first."""
        await self._forget_old_keys()
        while True:
            with suppress(LaggedBehind), self._store.watch(Match(CLUSTERS)) as changes:
                while True:
                    await self._settle()
                    await anext(changes)

    async def _settle(self) -> None:
        await self._until_current()
        wanted = self._wanted()
        if wanted and not self._keys.is_locked_by(wanted):
            await self._until_shown(wanted)
        # Another key than the one that was waited for is waited for in the next round.
        if wanted is not None and wanted == self._wanted():
            await self._follow(wanted)

    async def _until_current(self) -> None:
        """Return when the state here is not one of the past.

        A manager that catches up sees all keys that there ever were: to lock by an old one, and
        to end in that moment, would shut its operator out.
        """
        while True:
            try:
                await self._consensus.read_barrier()
            except NoLeader:
                await self._clock.sleep(_PAUSE_S)
            else:
                return

    def _wanted(self) -> bytes | None:
        """Return the cluster's key, b"" where it does not lock; None before it is known."""
        return next((each.unlock_key for each in self._store.view().clusters), None)

    async def _follow(self, key: bytes) -> None:
        """Lock by the key, or not at all for b""."""
        if await asyncio.to_thread(self._keys.follow, key or None):
            log.info("manager.lock_changed", locked=bool(key))
            await self._forget_old_keys()

    async def _forget_old_keys(self) -> None:
        """Seal anew what older keys sealed: whoever has one of those opens nothing any more."""
        if len(self._keys.ring.data) > 1:
            newest = self._keys.ring.newest
            await self._consensus.reseal()
            await asyncio.to_thread(self._keys.forget_before, newest)

    async def _until_shown(self, key: bytes) -> None:
        """Return a little after the key was shown, or after the limit."""
        deadline_s = self._clock.now_s() + _UNSEEN_LIMIT_S
        while self._shown_key != key and (left_s := deadline_s - self._clock.now_s()) > 0:
            self._shown.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._shown.wait(), left_s)
        await self._clock.sleep(_ON_ITS_WAY_S)
