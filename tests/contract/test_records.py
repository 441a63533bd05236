"""What every `Records` promises, run on the fake and on SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.adapters.database import open_records
from engine.ports.records import Change, Records
from tests.fakes.records import FakeRecords


@pytest.fixture(params=["fake", "sqlite"])
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Records]:
    """Return each kind of records, empty."""
    if request.param == "fake":
        yield FakeRecords()
        return
    database = await open_records(tmp_path / "engine.db")
    yield database
    await database.close()


async def test_what_was_written_is_read(records: Records) -> None:
    await records.apply([Change("volume", "data", b"{}"), Change("image", "data", b"[]")])

    assert {"data": b"{}"} == await records.load("volume")
    assert {"data": b"[]"} == await records.load("image")


async def test_later_document_replaces_earlier(records: Records) -> None:
    await records.apply([Change("volume", "data", b"1"), Change("volume", "data", b"2")])
    await records.apply([Change("volume", "data", b"3")])

    assert {"data": b"3"} == await records.load("volume")


async def test_order_within_a_call_is_kept(records: Records) -> None:
    """Delete and write again must not come out as write and delete."""
    await records.apply(
        [
            Change("volume", "a", b"1"),
            Change("volume", "a", None),
            Change("volume", "b", b"1"),
            Change("volume", "a", b"2"),
            Change("volume", "b", None),
        ]
    )

    assert {"a": b"2"} == await records.load("volume")


async def test_concurrent_calls_are_kept_in_order(records: Records) -> None:
    await asyncio.gather(
        *(records.apply([Change("container", "one", str(turn).encode())]) for turn in range(200)),
        *(records.apply([Change("container", f"c{turn}", b"x")]) for turn in range(200)),
    )

    found = await records.load("container")
    assert b"199" == found["one"]
    assert 201 == len(found)


async def test_deleting_what_is_not_there_is_fine(records: Records) -> None:
    await records.apply([Change("volume", "none", None)])

    assert {} == await records.load("volume")


async def test_any_bytes_come_back_as_they_were(records: Records) -> None:
    document = bytes(range(256)) * 1000

    await records.apply([Change("blob", 'na"me \u00e4', document)])

    assert {'na"me \u00e4': document} == await records.load("blob")
