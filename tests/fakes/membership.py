"""Members of raft as a test sets them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from manager.core.member import Member


def member(number: int, node_id: str, **changes: object) -> Member:
    """Return a reachable voter at 10.0.0.<number>:2377."""
    usual = Member(
        raft_id=number, node_id=node_id, address=f"10.0.0.{number}:2377", is_reachable=True
    )
    return replace(usual, **changes)


class FakeMembership:
    """Fulfils `Members`; changes happen at once, unless `refusal` is set."""

    def __init__(self, members: Sequence[Member] = ()) -> None:
        self.members = list(members)
        self.transfers = 0
        self.refusal: Exception | None = None

    def known(self) -> Sequence[Member]:
        """Return what the log has: nothing of who is reachable."""
        return [replace(each, is_reachable=None) for each in self.members]

    async def seen(self) -> Sequence[Member]:
        """Return all of it."""
        return list(self.members)

    async def remove(self, raft_id: int) -> None:
        """Take a member out."""
        if self.refusal is not None:
            raise self.refusal
        self.members = [each for each in self.members if each.raft_id != raft_id]

    async def transfer_leadership(self) -> None:
        """Count."""
        self.transfers += 1
