"""The cluster's authority, as nodes ask it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from protos.identity.channels import Credentials
from protos.identity.tokens import JoinToken


@dataclass(frozen=True, slots=True)
class Answer:
    """A certificate as it came, unchecked: PEM chain, and the roots that are trusted now."""

    chain: bytes
    roots: bytes


class Authority(Protocol):
    """Asks one manager.

    Errors of all:  Unavailable when it does not answer; else why it refuses.
    """

    async def fetch_root(self, address: str, token: JoinToken) -> bytes:
        """Return the cluster's root, checked against the token.

        Errors:  FingerprintMismatch, InvalidJoinToken, BadCertificate for a clock that is wrong.
        """
        ...

    async def issue(
        self,
        address: str,
        credentials: Credentials,
        request: bytes,
        token: str = "",
        availability: str = "",
    ) -> Answer:
        """Have a certificate issued for a signing request."""
        ...
