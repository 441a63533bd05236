"""Where a node keeps its certificate."""

from __future__ import annotations

from typing import Protocol

from protos.identity.channels import Credentials
from protos.identity.keyring import KeyFile


class CertificateStore(Protocol):
    """The certificate on disk; node.key is sealed while keys of a manager are there.

    Errors of all:  Internal when the disk fails; BadCertificate and UnusableKey for damage.
    """

    async def read_public(self) -> tuple[bytes, bytes] | None:
        """Return roots and chain in PEM, which need no key; None where there are none."""
        ...

    async def load(self, passphrase: bytes | None) -> Credentials:
        """Return what the node shows; the passphrase where the key is sealed."""
        ...

    async def is_sealed(self) -> bool:
        """Tell whether the key needs a passphrase."""
        ...

    async def replace(self, credentials: Credentials, passphrase: bytes | None) -> None:
        """Put these in place of what is there, as one."""
        ...

    async def replace_roots(self, roots: bytes) -> None:
        """Trust these from now on."""
        ...

    async def seal(self, old: bytes | None, new: bytes | None) -> None:
        """Have the key sealed by another passphrase, or by none."""
        ...

    async def manager_keys(self) -> KeyFile | None:
        """Return the keys of the local manager, closed; None where there are none."""
        ...

    async def joining(self) -> tuple[bytes, bytes]:
        """Return the key and the signing request of a join, in PEM: the same until it is done."""
        ...
