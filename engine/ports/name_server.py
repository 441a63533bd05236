"""The resolver that containers find at 127.0.0.11."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from engine.core.dns import Forward

# Takes a packet and whether it came over TCP.
Ask = Callable[[bytes, bool], bytes | Forward | None]


class NameServers(Protocol):
    """One resolver for each network namespace that needs one."""

    async def open(
        self, key: str, namespace_path: str, ask: Ask, outside: Callable[[], Sequence[str]]
    ) -> None:
        """Answer in a namespace, in place of an earlier answerer; `outside` are whom to ask then.

        Atomic, cancelled calls included. Errors: Internal.
        """

    def close(self, key: str) -> None:
        """Answer there no more; fine if nobody does."""

    async def unanswered(self, namespace_path: str) -> list[str]:
        """Return over which of UDP and TCP nobody answers in a namespace.

        Asked as the container would, for nothing that leaves the host. Errors: Internal.
        """
        ...
