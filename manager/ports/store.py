"""The replicated store, as verbs and loops use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from manager.core.store.apply import Event
from manager.core.store.query import View
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match

T = TypeVar("T")


class Changes(Protocol):
    """Changes as they are committed: each item is the list of a command's events.

    Errors of all:  LaggedBehind, for whoever reads too slowly.
    """

    def __aiter__(self) -> Changes: ...

    async def __anext__(self) -> list[Event]: ...

    def take(self) -> list[Event]:
        """Return the next list without waiting; [] when there is none yet."""
        ...


class Store(Protocol):
    """Views are free; changes are the leader's."""

    def view(self) -> View:
        """Return the state as of now, which never changes under its reader."""
        ...

    async def update(self, change: Callable[[Transaction], T]) -> T:
        """Return what `change` returns, once its writes are committed and applied here.

        Errors:  what `change` raises (nothing is written then); NotDone; OutcomeUnknown.
        """
        ...

    async def batch(self, changes: Iterable[Callable[[Transaction], T]]) -> list[T]:
        """Run many changes in as few entries as possible; each is whole or not at all.

        Errors:  as `update`; those before the one that raised are committed then.
        """
        ...

    def watch(self, *matches: Match[Any]) -> AbstractContextManager[Changes]:
        """Return what yields the changes that match from now on, those of a command at a time."""
        ...
