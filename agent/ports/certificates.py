"""The node's certificate: what it shows, whom it trusts, and how it gets a new one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from api.types.nodes import NodeRole, TLSInfo

if TYPE_CHECKING:  # gRPC is heavy, and a daemon without a swarm does without
    from protos.identity.channels import Credentials


class Certificates(Protocol):
    """The certificate of this node, in memory and on disk."""

    @property
    def node_id(self) -> str:
        """The node's id; "" as long as there is no certificate."""
        ...

    @property
    def role(self) -> NodeRole | None:
        """The role that the certificate gives; known also while the key is locked."""
        ...

    @property
    def credentials(self) -> Credentials | None:
        """What the node shows; None as long as there is no certificate or its key is locked."""
        ...

    @property
    def is_expired(self) -> bool:
        """Whether the certificate's days are over."""
        ...

    def tls_info(self) -> TLSInfo:
        """Return what the node tells of whom it trusts."""
        ...

    async def load(self) -> None:
        """Read what is on the disk. Errors: Internal when it is damaged."""
        ...

    async def unlock(self, unlock_key: str) -> None:
        """Open the key of a locked manager. Errors: InvalidUnlockKey."""
        ...

    async def join(self, remotes: Sequence[str], token: str, availability: str) -> None:
        """Get the node's first certificate from one of these managers.

        Errors:  Unavailable when none of them answers; InvalidArgument and the like when they
                 refuse.
        """
        ...

    async def keep(self, managers: Managers) -> None:
        """Renew the certificate when its time has come, or `want` was called, until cancelled."""
        ...

    def want(self) -> None:
        """Have the certificate renewed now: the managers say that it should be another one."""
        ...

    async def trust(self, roots: bytes) -> None:
        """Trust these roots from now on, PEM; nothing where they are trusted already."""
        ...

    async def changed(self) -> None:
        """Return when something of this has become another."""
        ...

    async def release(self) -> None:
        """Keep the key without a manager's lock: the node is no manager any more."""
        ...


class Managers(Protocol):
    """Says where the managers are now."""

    def __call__(self) -> Sequence[str]:
        """Return their addresses, the best first."""
        ...
