"""The tables of engine.db.

Documents are JSON of the Structs in api/ and engine/; only their kind and key are columns, for
every list and filter is answered from memory and the database is read once, at start.
"""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table

METADATA = MetaData()

SCHEMA = Table(
    "schema",
    METADATA,
    Column("version", Integer, nullable=False),
)

RECORDS = Table(
    "records",
    METADATA,
    Column("kind", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("document", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
