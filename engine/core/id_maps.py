"""User and group ids inside a user namespace, and what they are outside of it, on the host.

Helper processes load this file, so it imports nothing that costs milliseconds.
Source:  user_namespaces(7).
"""

from __future__ import annotations

# What the kernel shows for ids that have no number in a namespace.
OVERFLOW_ID = 65534


class NotMapped(ValueError):
    """An id has no number on the host."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Container ID {number} cannot be mapped to a host ID")


class IdMap:
    """Ranges (first id inside, first id outside, how many), as uid_map has them."""

    __slots__ = ("ranges",)

    def __init__(self, ranges: tuple[tuple[int, int, int], ...]) -> None:
        self.ranges = ranges

    @classmethod
    def of_subordinates(cls, ranges: list[tuple[int, int]]) -> IdMap:
        """Return the map that lays ranges of host ids (first, how many) one behind the other."""
        found = []
        inside = 0
        for first, count in ranges:
            found.append((inside, first, count))
            inside += count
        return cls(tuple(found))

    def __eq__(self, other: object) -> bool:
        """Tell whether the ranges are the same."""
        return isinstance(other, IdMap) and self.ranges == other.ranges

    def __hash__(self) -> int:
        """Go by the ranges."""
        return hash(self.ranges)

    @property
    def count(self) -> int:
        """How many ids there are inside; they begin with 0."""
        return sum(count for _, _, count in self.ranges)

    def outside(self, number: int) -> int:
        """Return the host's number of an id. Errors: NotMapped."""
        for inside, outside, count in self.ranges:
            if inside <= number < inside + count:
                return outside + number - inside
        raise NotMapped(number)

    def inside(self, number: int) -> int | None:
        """Return the namespace's number of a host id, None if it has none."""
        for inside, outside, count in self.ranges:
            if outside <= number < outside + count:
                return inside + number - outside
        return None

    def table(self) -> str:
        """Return the lines that uid_map and gid_map take."""
        return "".join("{} {} {}\n".format(*each) for each in self.ranges)


class IdMaps:
    """The users' and the groups' map of a namespace.

    `keeps_foreign` leaves host ids that the namespace has no number for as they are when they are
    read; else they are shown as the namespace's own processes see them.
    """

    __slots__ = ("groups", "keeps_foreign", "users")

    def __init__(self, users: IdMap, groups: IdMap, *, keeps_foreign: bool = False) -> None:
        self.users = users
        self.groups = groups
        self.keeps_foreign = keeps_foreign

    def __eq__(self, other: object) -> bool:
        """Tell whether the maps are the same."""
        return isinstance(other, IdMaps) and self.text() == other.text()

    def __hash__(self) -> int:
        """Go by the maps."""
        return hash(self.text())

    @property
    def root(self) -> tuple[int, int]:
        """The host's numbers of the namespace's root. Errors: NotMapped."""
        return self.users.outside(0), self.groups.outside(0)

    def outside(self, uid: int, gid: int) -> tuple[int, int]:
        """Return the host's numbers of an owner. Errors: NotMapped."""
        return self.users.outside(uid), self.groups.outside(gid)

    def inside(self, uid: int, gid: int) -> tuple[int, int]:
        """Return the namespace's numbers of an owner on the host."""
        return self._inside(self.users, uid), self._inside(self.groups, gid)

    def foreign_kept(self) -> IdMaps:
        """Return the same maps, which keep foreign ids."""
        return IdMaps(self.users, self.groups, keeps_foreign=True)

    def text(self) -> str:
        """Return the maps as one word, for a command line."""
        parts = [
            ",".join("{}:{}:{}".format(*each) for each in one.ranges)
            for one in (self.users, self.groups)
        ]
        return ";".join([*parts, "keep" if self.keeps_foreign else ""])

    @classmethod
    def from_text(cls, text: str) -> IdMaps | None:
        """Return what `text` wrote, None for ""."""
        if not text:
            return None
        users, groups, keep = text.split(";")
        return cls(_parsed(users), _parsed(groups), keeps_foreign=bool(keep))

    def _inside(self, one: IdMap, number: int) -> int:
        found = one.inside(number)
        if found is not None:
            return found
        return number if self.keeps_foreign else OVERFLOW_ID


def _parsed(text: str) -> IdMap:
    ranges = []
    for each in filter(None, text.split(",")):
        inside, outside, count = each.split(":")
        ranges.append((int(inside), int(outside), int(count)))
    return IdMap(tuple(ranges))
