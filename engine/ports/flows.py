"""What the networks ask of connection tracking."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Flag, auto
from typing import Protocol

from api.errors import SkepError


class Doomed(Flag):
    """Which flows are to be forgotten. Those of streams only if their address was translated.

    BEGUN are streams that are not answered yet. STUCK are those that nobody answers: neither how
    they begin, for a while, nor their data, however often it is sent.
    """

    DATAGRAMS = auto()
    BEGUN = auto()
    STUCK = auto()
    STREAMS = auto()
    ALL = DATAGRAMS | STREAMS


class TrackedFlows(Protocol):
    """Flows in network namespaces, as connection tracking leads them."""

    async def forget(
        self,
        namespace_paths: Sequence[str],
        targets: Collection[str],
        doomed: Doomed,
        port: int = 0,
        *,
        by_sockets: bool = False,
    ) -> dict[str, SkepError]:
        """Have what comes next from flows to these addresses led anew, or refused.

        Of those to this port, unless it is 0. By sockets: only where one is open that may send more
        datagrams, or had to send again, which is cheaper to know than which flows there are. A
        namespace that is gone has none. Return where it failed, and why.
        """
        ...
