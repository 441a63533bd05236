"""Places on networks of the cluster for containers that are no tasks: the managers give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Granted:
    """A network, which the engine knows by now, and bare addresses on it."""

    network_id: str
    addresses: tuple[str, ...]


class Attachments(Protocol):
    """Told by whoever runs the engine as part of a cluster."""

    async def attach(
        self, container_id: str, network: str, names: Sequence[str], addresses: Sequence[str]
    ) -> Granted | None:
        """Return a place on a network, by its id or name; None where no cluster has such a one.

        It may ask for bare addresses, one of a family.

        Errors:  why there is no place: the network is not attachable, is full, no manager answers.
        """
        ...

    def detached(self) -> None:
        """Hear that a container gave up a place."""


class NoAttachments:
    """Fulfils `Attachments` where there is no cluster."""

    async def attach(
        self, container_id: str, network: str, names: Sequence[str], addresses: Sequence[str]
    ) -> Granted | None:
        """Return that there is none."""
        del container_id, network, names, addresses
        return None

    def detached(self) -> None:
        """Hear nothing."""
