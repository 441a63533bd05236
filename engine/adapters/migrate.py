"""Bring engine.db from the version it was written with to the one this release reads.

To add a step: append a function to `STEPS`. A step never changes after its release, for some
database out there stands right before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, insert, inspect, select, update

from api.errors import Internal
from engine.adapters.tables import METADATA, RECORDS, SCHEMA

Step = Callable[[Connection], None]


def _first_tables(connection: Connection) -> None:
    """Version 1: one table of documents."""
    METADATA.create_all(connection, tables=[RECORDS])


STEPS: Sequence[Step] = (_first_tables,)


def migrate(connection: Connection, steps: Sequence[Step] = STEPS) -> int:
    """Apply the steps that are due, in the caller's transaction; return the version now.

    Errors:  Internal when a newer Skep wrote the database; nothing is changed then.
    """
    version = _version(connection)
    if version > len(steps):
        msg = (
            f"the engine's database has version {version}, this Skep knows up to {len(steps)}: "
            "run the newer Skep that wrote it"
        )
        raise Internal(msg)
    for step in steps[version:]:
        step(connection)
    if version < len(steps):
        connection.execute(update(SCHEMA).values(version=len(steps)))
    return len(steps)


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(SCHEMA.name):
        METADATA.create_all(connection, tables=[SCHEMA])
    stored: int | None = connection.execute(select(SCHEMA.c.version)).scalar_one_or_none()
    if stored is None:
        connection.execute(insert(SCHEMA).values(version=0))
        return 0
    return stored
