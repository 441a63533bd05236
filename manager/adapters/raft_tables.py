"""The tables of raft.db, and how an older release's file gets them.

What is secret, and what must be whole, is inside sealed payloads (see raft_records.py); columns
are only what rows are found by. Everything is tied together by the one row of `state`, which every
transaction rewrites.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    insert,
    inspect,
    select,
    update,
)

METADATA = MetaData()

SCHEMA = Table("schema", METADATA, Column("version", Integer, nullable=False))

STATE = Table(
    "state",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    Column("checksum", Integer, nullable=False),
)

LOG = Table(
    "log",
    METADATA,
    Column("position", Integer, primary_key=True),
    Column("term", Integer, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("checksum", Integer, nullable=False),
)

SNAPSHOT = Table(
    "snapshot",
    METADATA,
    Column("handle", Integer, primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    Column("checksum", Integer, nullable=False),
)

PIECE = Table(
    "piece",
    METADATA,
    Column("handle", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    Column("checksum", Integer, nullable=False),
)


class NewerSchema(Exception):
    """A newer release wrote the file."""

    def __init__(self, version: int, known: int) -> None:
        super().__init__(f"it has version {version}, this release knows up to {known}")


def _first_tables(connection: Connection) -> None:
    """Version 1: the log, the state, one snapshot in pieces."""
    METADATA.create_all(connection, tables=[STATE, LOG, SNAPSHOT, PIECE])


# A step never changes after its release, for some file out there stands right before it.
STEPS: Sequence[Callable[[Connection], None]] = (_first_tables,)


def refuse_newer(connection: Connection) -> None:
    """Do nothing if this release can read the file. Errors: NewerSchema."""
    version = connection.execute(select(SCHEMA.c.version)).scalar_one()
    if version > len(STEPS):
        raise NewerSchema(version, len(STEPS))


def migrate(connection: Connection) -> None:
    """Apply the steps that are due, in the caller's transaction."""
    version = 0
    if inspect(connection).has_table(SCHEMA.name):
        version = connection.execute(select(SCHEMA.c.version)).scalar_one()
    else:
        METADATA.create_all(connection, tables=[SCHEMA])
        connection.execute(insert(SCHEMA).values(version=0))
    for step in STEPS[version:]:
        step(connection)
    if version < len(STEPS):
        connection.execute(update(SCHEMA).values(version=len(STEPS)))
