"""Who leads, and how a request gets there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """A client's HTTP request as it came: headers by lower-case name, query without the `?`."""

    method: str
    path: str
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """The whole answer to a request."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class Leadership(Protocol):
    """What this manager knows of the cluster's leader."""

    @property
    def is_leader(self) -> bool:
        """Whether this manager leads, as far as it knows."""
        ...

    @property
    def leader_address(self) -> str | None:
        """Where the leader of now is reached, `host:port`; None when none is known."""
        ...

    async def lost(self, address: str) -> None:
        """Return as soon as the leader is known to be elsewhere, or nowhere."""
        ...

    async def read_barrier(self) -> None:
        """Return when the local state holds everything that was committed when called.

        Errors:  Unavailable (no leader), within seconds.
        """
        ...


class Leader(Protocol):
    """The way to another manager that leads."""

    async def connect(self, address: str) -> None:
        """Return when the manager at this address can be asked. Errors: Unreachable."""
        ...

    async def forward(self, address: str, request: Request) -> Reply:
        """Have the manager at this address serve the request; `connect` first.

        Errors:  NotLeader when it does not lead, Unreachable when it could not be asked (nothing
                 was done in both cases); OutcomeUnknown when the connection broke afterwards.
        """
        ...
