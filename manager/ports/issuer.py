"""Signing of certificates: by a key of the cluster's own, or by an authority elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from api.types.swarm import ExternalCA
from manager.core.ca.signer import Signer
from manager.core.objects.cluster import RootCA
from protos.identity.certificates import Identity


@dataclass(frozen=True, slots=True)
class Root:
    """A root certificate (PEM, one, normalised) and its key; "" where others hold the key."""

    certificate: str
    key: str = field(default="", repr=False)


class Issuer(Protocol):
    """Signs with keys that are in hand. It knows the time; nothing of this waits."""

    def new_root(self) -> Root:
        """Return a fresh root, valid for 20 years."""
        ...

    def checked_root(self, certificate: str, key: str) -> Root:
        """Return a root that users gave, normalised; key may be "".

        Errors:  InvalidSpec that says what is wrong: no certificate or several, not an authority,
                 not self-signed, ends within a year, or the key is another's.
        """
        ...

    def cross_sign(self, new: str, old: Root) -> str:
        """Return a certificate for the new root's name and key, signed by the old root."""
        ...

    def issue(self, signer: Signer, request: bytes, identity: Identity, life_ns: int) -> bytes:
        """Return the PEM chain of a new certificate for the request's key and this identity.

        Nothing else of the request counts. The certificate begins an hour ago, for clocks that
        are behind, and ends with its root at the latest.
        Errors:  BadSigningRequest.
        """
        ...

    def digest(self, certificate: str) -> str:
        """Return a root's SHA-256 as hexadecimal digits, as tokens carry it."""
        ...

    def new_token(self, certificate: str) -> str:
        """Return a join token with a fresh secret for the root."""
        ...

    def has_issued(self, certificate: str, chain: bytes) -> bool:
        """Tell whether the root's key signed the first certificate of the chain."""
        ...


class ExternalIssuer(Protocol):
    """Asks authorities elsewhere; each URL is tried until one signs."""

    async def issue(
        self, authorities: Sequence[ExternalCA], root: str, request: bytes, identity: Identity
    ) -> bytes:
        """Return the PEM chain that an authority made, checked: this key, this identity, this root.

        Errors:  ExternalIssuerFailed, with what each of them answered.
        """
        ...

    async def cross_sign(self, authorities: Sequence[ExternalCA], new: str, old: RootCA) -> str:
        """Return the new root's name and key, certified by the old root's authorities.

        Errors:  ExternalIssuerFailed.
        """
        ...
