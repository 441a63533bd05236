"""Records in a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from api.errors import Internal
from engine.ports.records import Change, Kind


class FakeRecords:
    """Fulfils `Records`; with `is_failing` set, writing fails as on a full disk.

    `on_apply` is called before each writing, and may refuse it.
    """

    def __init__(self, on_apply: Callable[[], None] = lambda: None) -> None:
        self.on_apply = on_apply
        self.documents: dict[tuple[str, str], bytes] = {}
        self.is_failing = False

    async def load(self, kind: Kind) -> dict[str, bytes]:
        """Return every document of a kind by key."""
        return {key: each for (its, key), each in self.documents.items() if its == kind}

    async def apply(self, changes: Sequence[Change]) -> None:
        """Write all changes or none."""
        if self.is_failing:
            raise Internal("database or disk is full")
        self.on_apply()
        for change in changes:
            if change.document is None:
                self.documents.pop((change.kind, change.key), None)
            else:
                self.documents[change.kind, change.key] = change.document
