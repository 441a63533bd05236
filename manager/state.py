"""A manager's state on disk: its keys, its certificate, its log. Made, or opened."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from api.errors import Conflict
from manager.adapters.cipher import RingCipher
from manager.adapters.keys import Keys
from manager.adapters.raft_log import RaftLog, create_log, has_log, open_log
from manager.consensus.beginnings import begin_cluster, begin_with_dump, force_new_cluster
from manager.consensus.roster import Seat
from manager.ports.log import Stored
from protos.identity.certificate_files import CertificateFiles
from protos.identity.certificates import Identity, identity_of, load_certificate
from protos.identity.channels import Credentials
from protos.identity.keyring import KEY_FILE

log = structlog.get_logger(__name__)

RAFT_FILE = "raft.db"
_RAFT_IDS = 1 << 63


@dataclass(frozen=True, slots=True)
class Dump:
    """A state to begin with, in pieces, as of a version."""

    pieces: tuple[bytes, ...]
    index: int


@dataclass(frozen=True, slots=True)
class OpenLog:
    """The log and what is in it. is_joining: no cluster knows this member yet."""

    log: RaftLog
    stored: Stored
    seat: Seat
    is_joining: bool = False


class State:
    """The files under one directory. `keys` must be open before the rest is of use."""

    def __init__(self, directory: Path, keys: Keys) -> None:
        self.directory = directory
        self.keys = keys
        self.certificates = CertificateFiles(directory)
        self.cipher = RingCipher(lambda: keys.ring)
        self._is_fresh = False

    async def is_locked(self) -> bool:
        """Open the keys if no unlock key is needed; tell whether one is needed."""
        try:
            return not await asyncio.to_thread(self.keys.open)
        except FileNotFoundError:
            return False

    async def identity(self) -> Identity:
        """Return who this node is, which is readable while the keys are locked.

        Errors:  Conflict when the node has no certificate.
        """
        try:
            _, chain = await asyncio.to_thread(self.certificates.read_public)
        except FileNotFoundError as error:
            raise Conflict(
                f"{self.directory} holds no certificate: this node is no manager of a cluster"
            ) from error
        return identity_of(load_certificate(chain))

    async def credentials(self) -> Credentials:
        """Return what this node shows and trusts. Errors: UnusableKey, BadCertificate."""
        return await asyncio.to_thread(self.certificates.load, self.keys.ring.node_key)

    async def open_credentials(self) -> Credentials:
        """Return what a node shows that has no manager's keys yet. Errors: UnusableKey."""
        return await asyncio.to_thread(self.certificates.load)

    async def make_cluster(
        self, seat: Seat, credentials: Credentials, unlock_key: bytes | None, dump: Dump | None
    ) -> OpenLog:
        """Make all of it for a new cluster's first manager.

        Errors:  Conflict when there is a log already.
        """
        await self._refuse_used()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._is_fresh = True
        await asyncio.to_thread(self.keys.create, unlock_key)
        node_key = self.keys.ring.node_key
        await asyncio.to_thread(self.certificates.replace, credentials, node_key)
        found, stored = await self._new_log()
        if dump is None:
            await begin_cluster(found, stored, seat)
        else:
            await begin_with_dump(found, stored, seat, dump.pieces, dump.index)
        await found.close()
        return await self.open(seat)

    def keep(self) -> None:
        """Let what was made stay: somebody is told of it."""
        self._is_fresh = False

    def unmake(self) -> None:
        """Remove what `make_cluster` made, unless it is to be kept."""
        if not self._is_fresh:
            return
        self.certificates.remove()
        for name in (
            RAFT_FILE,
            f"{RAFT_FILE}-wal",
            f"{RAFT_FILE}-shm",
            f"{RAFT_FILE}-mark",
            KEY_FILE,
        ):
            self.directory.joinpath(name).unlink(missing_ok=True)

    async def make_member(self, seat: Seat, unlock_key: bytes | None) -> OpenLog:
        """Make keys and an empty log for a manager that joins, unless they are there already."""
        if not await has_log(self._path):
            with suppress(FileExistsError):
                await asyncio.to_thread(self.keys.create, unlock_key)
            found, stored = await self._new_log()
        else:
            found, stored = await open_log(self._path, self.cipher)
        return OpenLog(found, stored, seat, is_joining=stored.is_empty)

    async def open(self, seat: Seat, *, force_new_cluster_: bool = False) -> OpenLog:
        """Open the log of a manager that took part before. Errors: LogDamaged."""
        found, stored = await open_log(self._path, self.cipher)
        if force_new_cluster_:
            try:
                await force_new_cluster(found, stored, seat)
            finally:
                await found.close()
            found, stored = await open_log(self._path, self.cipher)
        return OpenLog(found, stored, seat, is_joining=stored.is_empty)

    @property
    def _path(self) -> Path:
        return self.directory / RAFT_FILE

    async def _new_log(self) -> tuple[RaftLog, Stored]:
        await create_log(self._path, self.cipher, random.SystemRandom().randrange(1, _RAFT_IDS))
        return await open_log(self._path, self.cipher)

    async def _refuse_used(self) -> None:
        if await has_log(self._path) or self.directory.joinpath(KEY_FILE).exists():
            raise Conflict(f"{self.directory} holds the state of a manager already")
