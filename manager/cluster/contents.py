"""What secrets and configs share: named contents, given to services; made, labelled, removed."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec.structs import replace

from api.cluster_errors import OnlyLabelsChange, UsedByServices
from api.filters import Filters
from api.ids import new_object_id
from api.types.configs import ConfigSpec
from api.types.objects import ClusterObject, IDResponse
from api.types.secrets import SecretSpec
from manager.cluster.env import ClusterEnv
from manager.cluster.object_filters import NameFilters
from manager.cluster.refs import resolve
from manager.core.objects.config import Config
from manager.core.objects.secret import Secret
from manager.core.store.tables import Table
from manager.core.store.transaction import Transaction

T = TypeVar("T", Secret, Config)

Spec: TypeAlias = SecretSpec | ConfigSpec


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One of the two.

    make:      returns a new object with an id and a spec.
    check:     refuses a spec that cannot be. Errors: InvalidSpec.
    to_api:    returns an object as users see it.
    is_hidden: tells whether users see nothing of an object.
    """

    table: Table[T]
    spec: type[Spec]
    make: Callable[[str, Any], T]
    check: Callable[[Any], None]
    to_api: Callable[[T], ClusterObject]
    is_hidden: Callable[[T], bool]


async def create_contents(env: ClusterEnv, kind: Kind[T], spec: Spec) -> IDResponse:
    """Make a secret or config. Errors: InvalidSpec, the kind's NameConflict."""
    kind.check(spec)
    made = kind.make(new_object_id(), spec)
    await env.store.update(lambda tx: tx.rows(kind.table).create(made))
    return IDResponse(made.id)


async def list_contents(env: ClusterEnv, kind: Kind[T], filters: Filters) -> list[ClusterObject]:
    """Return those that fit the filters. Errors: InvalidFilter."""
    wanted = NameFilters(filters)
    return [
        kind.to_api(each)
        for each in env.store.view().rows(kind.table)
        if not kind.is_hidden(each) and wanted.fits(each.id, each.spec.Name, each.spec.Labels)
    ]


async def inspect_contents(env: ClusterEnv, kind: Kind[T], ref: str) -> ClusterObject:
    """Return one of them. Errors: the kind's NotFound, AmbiguousRef."""
    return kind.to_api(resolve(kind.table, env.store.view().rows(kind.table), ref))


async def update_contents(
    env: ClusterEnv, kind: Kind[T], ref: str, version: int, spec: Spec
) -> None:
    """Replace the labels of one of them.

    Errors:  the kind's NotFound, AmbiguousRef, StaleVersion, InvalidSpec; OnlyLabelsChange.
    """

    def change(tx: Transaction) -> None:
        rows = tx.rows(kind.table)
        present = resolve(kind.table, rows, ref)
        if spec.Name != present.spec.Name or not _may_hold(present, spec.Data):
            raise OnlyLabelsChange
        updated = replace(present.spec, Labels=spec.Labels)
        kind.check(updated)
        rows.update(replace(present, spec=updated), version=version)

    await env.store.update(change)


async def remove_contents(env: ClusterEnv, kind: Kind[T], ref: str) -> None:
    """Remove one that no service uses.

    Errors:  the kind's NotFound, AmbiguousRef, UsedByServices.
    """

    def change(tx: Transaction) -> None:
        rows = tx.rows(kind.table)
        found = resolve(kind.table, rows, ref)
        users = tx.services.by(**{kind.table.kind: found.id})
        if names := [each.spec.Name for each in users if not each.is_removed]:
            raise UsedByServices(kind.table.kind, found.spec.Name, names)
        rows.remove(found.id)

    await env.store.update(change)


def _may_hold(present: Secret | Config, data: bytes) -> bool:
    """Tell whether an update leaves the contents alone; no answer comes sooner than another."""
    return not data or hmac.compare_digest(data, present.spec.Data)
