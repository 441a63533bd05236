"""Transactions of nftables: changes of a table's chains and elements, or of a table as a whole."""

from __future__ import annotations


def removal(table: str) -> str:
    """Return what takes a table of the family inet away, whether it is there or not."""
    return f"add table inet {table}\ndelete table inet {table}"


def replacement(table: str, content: str, *more: str) -> str:
    """Return what replaces a table, whatever is there, by one of this content, and does more."""
    parts = (removal(table), f"table inet {table} {{{content}}}", *more)
    return "\n".join(part for part in parts if part)


class Batch:
    """Changes of one table of the family inet: chains, then what goes, then what comes.

    Elements of one set or map go together.
    """

    def __init__(self, table: str) -> None:
        self._table = table
        self._chains: list[str] = []
        self._deleted: dict[str, list[str]] = {}
        self._added: dict[str, list[str]] = {}

    def chain(self, name: str, rule: str) -> None:
        """Make a chain with one rule."""
        self._chains += [
            f"add chain inet {self._table} {name}",
            f"add rule inet {self._table} {name} {rule}",
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
        return f"{verb} element inet {self._table} {place} {{ {', '.join(elements)} }}"
