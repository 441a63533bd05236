"""When dumps are taken, what of the log they leave, and that readers keep theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from manager.consensus.dumps import Dumps
from manager.consensus.mirror import Mirror
from manager.consensus.roster import Roster
from manager.consensus.settings import Settings
from manager.core.raft.errors import SnapshotUnavailable
from manager.core.raft.messages import Entry, SnapshotMeta
from manager.ports.log import StoredSnapshot
from tests.fakes.raft_log import FakeLog

SETTINGS = Settings(
    snapshot_entries=10, snapshot_bytes=10_000, trailing_entries=4, trailing_bytes=1000
)


class Bench:
    """A log of a hundred entries, and a state that is as far as the test says."""

    def __init__(self, entry_bytes: int = 10) -> None:
        self.log = FakeLog()
        self.log.entries = [
            Entry(term=1, index=index, data=bytes(entry_bytes)) for index in range(1, 101)
        ]
        self.mirror = Mirror(self.log.stored())
        self.applied = 0
        self.dumps = Dumps(self.log, self.mirror, SETTINGS, StoredSnapshot(), self.take)

    def take(self) -> tuple[SnapshotMeta, Roster, Iterator[bytes]]:
        return SnapshotMeta(index=self.applied, term=1), Roster(), iter([b"one", b"two"])

    async def at(self, index: int) -> None:
        """Take a dump as of an entry."""
        self.applied = index
        await self.dumps.take()


async def test_dump_is_stored_before_the_log_is_cut_and_leaves_a_tail() -> None:
    bench = Bench()

    await bench.at(50)

    assert 50 == bench.log.snapshot.meta.index
    assert 46 == bench.log.start.index
    assert 47 == bench.mirror.first_index()
    assert [b"one", b"two"] == [each async for each in bench.dumps.pieces(bench.dumps.current)]


async def test_other_numbers_of_entries_hold_from_now_on() -> None:
    """As the cluster's spec has them; 0 says nothing."""
    bench = Bench()
    bench.dumps.keep(snapshot_entries=90, trailing_entries=8)
    bench.dumps.keep(snapshot_entries=0, trailing_entries=0)
    running = asyncio.create_task(bench.dumps.run())

    for applied in (50, 89):
        bench.applied = applied
        bench.dumps.applied(applied, 0)
        await asyncio.sleep(0)
    assert not bench.dumps.is_due
    bench.applied = 90
    bench.dumps.applied(90, 0)
    async with asyncio.timeout(20):
        while bench.log.start.index == 0:  # noqa: ASYNC110 - the last step of what is begun
            await asyncio.sleep(0)

    assert 82 == bench.log.start.index
    running.cancel()


async def test_tail_is_bounded_in_bytes_too() -> None:
    bench = Bench(entry_bytes=600)

    await bench.at(50)

    assert 49 == bench.log.start.index


async def test_older_pieces_go_unless_somebody_reads_them() -> None:
    bench = Bench()
    await bench.at(20)
    async with bench.dumps.reading() as (stored, pieces):
        await bench.at(60)
        await bench.at(90)

        assert [b"one", b"two"] == [piece async for piece in pieces]
        assert 20 == stored.meta.index
        assert bench.mirror.first_index() <= 21, "who gets the dump needs the entries after it"

    assert {bench.dumps.current.handle} == {handle for handle, _ in bench.log.pieces}


async def test_dump_that_a_received_snapshot_overtook_is_dropped() -> None:
    bench = Bench()
    bench.log.hold()
    taking = asyncio.create_task(bench.at(20))
    await asyncio.sleep(0)
    received = StoredSnapshot(meta=SnapshotMeta(index=80, term=1), pieces=1, handle=99)
    bench.log.start = bench.log.start.__class__(term=1, index=80)
    await bench.dumps.received(received)
    bench.log.release()
    await taking

    assert received == bench.dumps.current
    assert {} == bench.log.pieces


async def test_dumps_come_due_by_entries_and_by_bytes() -> None:
    bench = Bench()
    running = asyncio.create_task(bench.dumps.run())
    taken = []
    for applied, size in ((9, 500), (30, 600), (35, 700), (36, 11_000)):
        bench.applied = applied
        for _ in range(200):  # an entry is applied again and again while a dump is being taken
            bench.dumps.applied(applied, size)
            await asyncio.sleep(0.001)
            if bench.dumps.current.meta.index == applied:
                break
        taken.append(bench.dumps.current.meta.index)
    running.cancel()

    assert [0, 30, 30, 36] == taken


def test_snapshot_that_does_not_name_all_members_is_not_handed_out() -> None:
    bench = Bench()
    asked: list[bool] = []
    bench.mirror.watch(lambda _: True, lambda: asked.append(True))

    with pytest.raises(SnapshotUnavailable):
        bench.mirror.snapshot()
    assert [True] == asked
