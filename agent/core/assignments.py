"""What a node is assigned: changes folded into the whole, pieces into changes.

first change    complete: what it does not set is gone
later changes   incremental
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from api.types.assignments import AssignedConfig, AssignedSecret, AssignedTask
from api.types.cluster_networks import ClusterNetwork

Item: TypeAlias = AssignedTask | AssignedSecret | AssignedConfig | ClusterNetwork
Key: TypeAlias = tuple[type[Item], str]


@dataclass(frozen=True, slots=True)
class Piece:
    """A message of the stream: part of a change, the last part unless more follows."""

    items: tuple[Item, ...] = ()
    removed: tuple[Key, ...] = ()
    is_complete: bool = False
    more_follows: bool = False


@dataclass(frozen=True, slots=True)
class Assignments:
    """All that is assigned, by kind and id."""

    tasks: Mapping[str, AssignedTask] = field(default_factory=dict)
    secrets: Mapping[str, AssignedSecret] = field(default_factory=dict)
    configs: Mapping[str, AssignedConfig] = field(default_factory=dict)
    networks: Mapping[str, ClusterNetwork] = field(default_factory=dict)

    def changed(self, pieces: Iterable[Piece]) -> Assignments:
        """Return the whole after a change, given in one or more pieces."""
        pieces = list(pieces)
        kept: dict[Key, Item] = {} if any(each.is_complete for each in pieces) else self._items()
        for piece in pieces:
            for key in piece.removed:
                kept.pop(key, None)
            kept.update({(type(item), item.ID): item for item in piece.items})
        return Assignments(
            tasks={id_: item for (_, id_), item in kept.items() if isinstance(item, AssignedTask)},
            secrets={
                id_: item for (_, id_), item in kept.items() if isinstance(item, AssignedSecret)
            },
            configs={
                id_: item for (_, id_), item in kept.items() if isinstance(item, AssignedConfig)
            },
            networks={
                id_: item for (_, id_), item in kept.items() if isinstance(item, ClusterNetwork)
            },
        )

    def _items(self) -> dict[Key, Item]:
        by_kind: tuple[Mapping[str, Item], ...] = (
            self.tasks,
            self.secrets,
            self.configs,
            self.networks,
        )
        return {(type(item), item.ID): item for items in by_kind for item in items.values()}
