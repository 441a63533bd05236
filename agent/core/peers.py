"""The managers that a node knows, and which of them it asks next.

Those that answered lately are favoured, those that failed are rarely tried: each has a standing
from 1 to 64 that grows with success and shrinks with failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

_LEAST, _MOST = 1, 64
_FRESH = 8


@dataclass(frozen=True, slots=True)
class Peer:
    """A manager; its node id is "" while only its address is known."""

    node_id: str
    address: str
    standing: int = _FRESH


@dataclass(frozen=True, slots=True)
class Peers:
    """All managers that are known, by address."""

    known: tuple[Peer, ...] = ()

    @property
    def addresses(self) -> list[str]:
        """Return where they are."""
        return [each.address for each in self.known]

    def told(self, managers: Iterable[tuple[str, str]]) -> Peers:
        """Return the peers after the managers named themselves, as (node id, address).

        An empty list is no news: a node that forgot everybody could never come back.
        """
        standings = {each.address: each.standing for each in self.known}
        fresh = {
            address: Peer(node_id, address, standings.get(address, _FRESH))
            for node_id, address in managers
        }
        return Peers(tuple(fresh.values())) if fresh else self

    def with_address(self, node_id: str, address: str) -> Peers:
        """Return the peers, this one among them."""
        if address in self.addresses:
            return self
        return Peers((*self.known, Peer(node_id, address)))

    def observed(self, address: str, *, is_good: bool) -> Peers:
        """Return the peers after one of them answered, or did not."""
        return Peers(
            tuple(
                replace(each, standing=_moved(each.standing, is_good=is_good))
                if each.address == address
                else each
                for each in self.known
            )
        )

    def choose(self, chance: float, besides: Sequence[str] = ()) -> str | None:
        """Return an address by weight; `chance` is from 0 to 1, `besides` are tried last.

        None when nobody is known.
        """
        candidates = [each for each in self.known if each.address not in besides]
        candidates = candidates or list(self.known)
        if not candidates:
            return None
        mark = chance * sum(each.standing for each in candidates)
        for each in candidates:
            mark -= each.standing
            if mark < 0:
                return each.address
        return candidates[-1].address


def _moved(standing: int, *, is_good: bool) -> int:
    return min(standing * 2, _MOST) if is_good else max(standing // 4, _LEAST)
