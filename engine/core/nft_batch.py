"""Transactions of nftables: changes of a table's chains and elements, or of a table as a whole."""

from __future__ import annotations

INET, BRIDGE = "inet", "bridge"


def removal(table: str, family: str = INET) -> str:
    """Return what takes a table away, whether it is there or not."""
    return f"add table {family} {table}\ndelete table {family} {table}"


def replacement(table: str, content: str, *more: str, family: str = INET) -> str:
    """Return what replaces a table, whatever is there, by one of this content, and does more."""
    parts = (removal(table, family), f"table {family} {table} {{{content}}}", *more)
    return "\n".join(part for part in parts if part)


class Batch:
    """Changes of one table: chains, then what goes, then what comes.

    Elements of one set or map go together.
    """

    def __init__(self, table: str, family: str = INET) -> None:
        self._table = f"{family} {table}"
        self._chains: list[str] = []
        self._deleted: dict[str, list[str]] = {}
        self._added: dict[str, list[str]] = {}

    def chain(self, name: str, rule: str) -> None:
        """Make a chain with one rule."""
        self._chains += [
            f"add chain {self._table} {name}",
            f"add rule {self._table} {name} {rule}",
        ]

    def delete(self, place: str, element: str) -> None:
        """Delete an element, which must be there."""
        self._deleted.setdefault(place, []).append(element)

    def add(self, place: str, element: str) -> None:
        """Add an element; one that is deleted by the same transaction is replaced so."""
        self._added.setdefault(place, []).append(element)

    def text(self) -> str:
        """Return the transaction, "" where nothing changes."""
        return "\n".join(
            [
                *self._chains,
                *(self._elements("delete", *each) for each in self._deleted.items()),
                *(self._elements("add", *each) for each in self._added.items()),
            ]
        )

    def _elements(self, verb: str, place: str, elements: list[str]) -> str:
        return f"{verb} element {self._table} {place} {{ {', '.join(elements)} }}"
