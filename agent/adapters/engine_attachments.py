"""The engine's way to the managers for places on networks of the cluster."""

from __future__ import annotations

from collections.abc import Sequence

from agent.overlay import NodeOverlays
from api.errors import NotFound, Unsupported
from engine.ports.attachments import Granted


class WishNotObeyed(Unsupported):
    """The managers are of a version that chooses addresses itself."""

    def __init__(self) -> None:
        super().__init__(
            "the managers do not give the address that was asked for: upgrade them, or let them "
            "choose"
        )


class ManagerAttachments:
    """Fulfils the engine's `Attachments` on a node's session with the managers."""

    def __init__(self, overlays: NodeOverlays) -> None:
        self._overlays = overlays

    async def attach(
        self, container_id: str, network: str, names: Sequence[str], addresses: Sequence[str]
    ) -> Granted | None:
        """Return a place on a network; None where the cluster has no such one."""
        try:
            place = await self._overlays.attach(container_id, network, names, addresses)
        except NotFound:
            return None
        bare = tuple(each.partition("/")[0] for each in place.addresses)
        if not set(addresses) <= set(bare):
            raise WishNotObeyed
        return Granted(place.network.ID, bare)

    def detached(self) -> None:
        """Hear that a container gave up a place."""
        self._overlays.detached()
