"""Certificates that become what a test says."""

from __future__ import annotations

from collections.abc import Sequence

from agent.ports.certificates import Managers
from agent.swarm.signal import Signal
from api.errors import SkepError
from api.swarm_errors import InvalidUnlockKey
from api.types.nodes import NodeRole, TLSInfo
from protos.identity.channels import Credentials


class FakeCertificates:
    """Fulfils `Certificates`.

    `on_disk` is what `load` finds, `granted` what a join or a renewal gives; an error is raised.
    """

    def __init__(
        self, on_disk: NodeRole | None = None, granted: NodeRole | SkepError = NodeRole.WORKER
    ) -> None:
        self.on_disk = on_disk
        self.granted: list[NodeRole | SkepError] = [granted]
        self.role: NodeRole | None = None
        self.credentials: Credentials | None = None
        self.is_expired = False
        self.is_locked = False
        self.asked: list[tuple[tuple[str, ...], str, str]] = []
        self.roots = b""
        self.released = 0
        self._number = 0
        self._wanted = Signal()
        self._changed = Signal()

    @property
    def node_id(self) -> str:
        """The node's id."""
        return "" if self.role is None else "self"

    def tls_info(self) -> TLSInfo:
        """Return what a node tells of its roots."""
        return TLSInfo(TrustRoot=self.roots.decode())

    async def load(self) -> None:
        """Take over what is on the disk."""
        if self.on_disk is not None:
            self.become(self.on_disk)

    async def unlock(self, unlock_key: str) -> None:
        """Open the key."""
        if unlock_key != "right":
            raise InvalidUnlockKey
        self.is_locked = False
        assert self.role is not None
        self.become(self.role)

    async def join(self, remotes: Sequence[str], token: str, availability: str) -> None:
        """Get what is granted."""
        self.asked.append((tuple(remotes), token, availability))
        self._grant()

    async def keep(self, managers: Managers) -> None:
        """Renew each time it is wanted."""
        while True:
            await self._wanted.next()
            self.asked.append((tuple(managers()), "", ""))
            self._grant()

    def want(self) -> None:
        """Renew now."""
        self._wanted.give()

    async def trust(self, roots: bytes) -> None:
        """Note the roots."""
        self.roots = roots

    async def changed(self) -> None:
        """Return when something has become another."""
        await self._changed.next()

    async def release(self) -> None:
        """Count."""
        self.released += 1

    def become(self, role: NodeRole) -> None:
        """Let it be another certificate."""
        self._number += 1
        self.role = role
        if not self.is_locked:
            self.credentials = Credentials(b"roots", b"chain %d" % self._number, b"key")
        self._changed.give()

    def _grant(self) -> None:
        granted = self.granted.pop(0) if len(self.granted) > 1 else self.granted[0]
        if isinstance(granted, SkepError):
            raise granted
        self.become(granted)
