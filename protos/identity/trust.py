"""Whom a manager lets in: nodes by the cluster's roots, and whoever holds a join token of now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509

from protos.identity.certificates import (
    Identity,
    Role,
    identity_of,
    is_authority,
    issuer_among,
    load_certificate,
    load_chain,
    to_pem,
)
from protos.identity.errors import BadCertificate

_CHAIN_LIMIT = 4

JOINING = Identity("", Role.JOIN, "")
"""Who comes with a token: no node yet."""


@dataclass(frozen=True, slots=True)
class Trust:
    """The roots, and the authorities of the join tokens (`protos.identity.join`)."""

    roots: tuple[x509.Certificate, ...]
    joins: tuple[x509.Certificate, ...] = ()

    def bundle(self) -> bytes:
        """Return in PEM what TLS is to accept client certificates of."""
        return to_pem(*self.roots, *self.joins)

    def roots_pem(self) -> bytes:
        """Return the roots alone: what nodes trust, and what managers trust in managers."""
        return to_pem(*self.roots)

    def identify(
        self, certificate: x509.Certificate, chain: Sequence[x509.Certificate] = ()
    ) -> Identity:
        """Return who shows the certificate; JOINING for one that a token made.

        The subject is believed only if a root signed it, or an authority of the chain that a root
        signed: one that is cross-signed during a rotation. A token's holder can write any name.
        Errors:  BadCertificate when neither a root nor a token's authority signed it.
        """
        if issuer_among(certificate, [*self.roots, *self._vouched_for(chain)]) is not None:
            return identity_of(certificate)
        if issuer_among(certificate, self.joins) is not None:
            return JOINING
        raise BadCertificate("the certificate is not of this cluster")

    def _vouched_for(self, chain: Sequence[x509.Certificate]) -> list[x509.Certificate]:
        """Return the authorities of a chain that a root has signed itself."""
        return [
            each
            for each in chain[:_CHAIN_LIMIT]
            if is_authority(each) and issuer_among(each, self.roots) is not None
        ]


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer as its certificate shows it, and until when that is so."""

    identity: Identity
    expires: datetime

    def is_expired(self, now: datetime) -> bool:
        """Tell whether the certificate is over; a connection may outlive it."""
        return now > self.expires


def peer_of(pem: bytes, chain_pem: bytes, trust: Trust) -> Peer:
    """Return who shows this certificate (PEM), and b"" or others after it.

    Errors:  BadCertificate when nobody of this cluster does.
    """
    certificate = load_certificate(pem)
    identity = trust.identify(certificate, load_chain(chain_pem) if chain_pem else ())
    return Peer(identity, certificate.not_valid_after_utc.astimezone(UTC))
