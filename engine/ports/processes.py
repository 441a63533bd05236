"""The processes of a container as the host sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Processes(Protocol):
    """Lists processes; process ids are the host's."""

    async def members(self, pid: int) -> frozenset[int]:
        """Return the processes that share the container of its first process `pid`.

        Nested groups are included; empty when the process is gone.
        """

    async def listing(self, arguments: Sequence[str]) -> str:
        """Return what `ps` prints with these arguments, its own header first.

        Errors:  InvalidArgument with the words of `ps` when it refuses the arguments.
        """
