"""What can be wrong with keys and certificates, in the words that users read."""

from __future__ import annotations

from api.errors import Forbidden, InvalidArgument, Unauthenticated, Unavailable


class ManagerUnreachable(Unavailable):
    """Nobody answers at the address, or not as a manager does."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"could not reach a manager at {address}: {reason}")


class BadCertificate(Unauthenticated):
    """A certificate that proves nothing here: says which, and why."""


class BadSigningRequest(InvalidArgument):
    """A certificate signing request that is not signed by its own key, or of a wrong kind."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"invalid certificate signing request: {reason}")


class UnusableKey(Forbidden):
    """A private key that cannot be read: sealed by another key, or of another kind."""
