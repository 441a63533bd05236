"""The storage worker: what it writes together, what it does not write at all, what it says when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from manager.consensus.mirror import Mirror
from manager.consensus.writer import Writer, merge
from manager.core.raft.messages import (
    LOCAL_APPEND,
    Entry,
    HardState,
    Message,
    MessageKind,
    Snapshot,
    SnapshotMeta,
)
from manager.ports.log import StoredSnapshot
from tests.fakes.raft_log import FakeLog


def entry(index: int, term: int = 1) -> Entry:
    return Entry(term=term, index=index)


NOTHING = HardState()


def work(*entries: Entry, state: HardState = NOTHING, says: int = 0) -> Message:
    """Return storage work that is answered by a message of index `says`."""
    reply = Message(kind=MessageKind.APPEND_REPLY, to=2, index=says)
    return Message(
        kind=MessageKind.STORAGE_APPEND,
        to=LOCAL_APPEND,
        term=state.term,
        vote=state.vote,
        commit=state.commit,
        entries=entries,
        responses=(reply,) if says else (),
    )


class Bench:
    """A writer, its log, and what it said."""

    def __init__(self) -> None:
        self.log = FakeLog()
        self.log.hard_state = HardState(term=1, vote=1)
        self.said: list[int] = []
        self.restored: list[StoredSnapshot] = []
        self.mirror = Mirror(self.log.stored())
        self.writer = Writer(
            self.log,
            self.mirror,
            self.log.hard_state,
            lambda meta: StoredSnapshot(meta=meta, pieces=1, handle=9),
            lambda message: self.said.append(message.index),
            self._restore,
            lambda: None,
        )

    async def _restore(self, snapshot: StoredSnapshot) -> None:
        self.restored.append(snapshot)

    async def settle(self) -> None:
        """Let everything run that can."""
        for _ in range(20):
            await asyncio.sleep(0)


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    """Lend a running writer."""
    made = Bench()
    running = asyncio.create_task(made.writer.run())
    yield made
    running.cancel()


async def test_answers_wait_for_the_disk(bench: Bench) -> None:
    bench.log.hold()
    bench.writer.put(work(entry(1), says=1))
    await bench.settle()
    assert [] == bench.said

    bench.log.release()
    await bench.settle()
    assert [1] == bench.said
    assert 1 == bench.mirror.last_index()


async def test_what_comes_during_a_write_is_written_together(bench: Bench) -> None:
    bench.log.hold()
    for index in range(1, 6):
        bench.writer.put(work(entry(index), says=index))
        await bench.settle()
    bench.log.release()
    await bench.settle()

    assert [1, 4] == [len(batch.entries) for batch in bench.log.batches]
    assert [1, 2, 3, 4, 5] == bench.said


async def test_commit_index_alone_is_not_written_but_goes_along(bench: Bench) -> None:
    """Who acknowledges what follows a change of membership will know that it is in force."""
    bench.writer.put(work(entry(1)))
    await bench.settle()
    bench.writer.put(work(state=HardState(term=1, vote=1, commit=1), says=7))
    assert [7] == bench.said
    assert 1 == len(bench.log.batches)

    bench.writer.put(work(entry(2)))
    await bench.settle()
    assert 1 == bench.log.hard_state.commit


async def test_answer_that_needs_no_write_keeps_its_place_behind_one_that_does(
    bench: Bench,
) -> None:
    bench.log.hold()
    bench.writer.put(work(entry(1), says=1))
    await bench.settle()
    bench.writer.put(work(says=2))
    await bench.settle()
    assert [] == bench.said

    bench.log.release()
    await bench.settle()
    assert [1, 2] == bench.said


async def test_vote_is_written_before_it_is_given(bench: Bench) -> None:
    bench.log.hold()
    bench.writer.put(work(state=HardState(term=2, vote=3), says=1))
    await bench.settle()
    assert [] == bench.said

    bench.log.release()
    await bench.settle()
    assert HardState(term=2, vote=3) == bench.log.hard_state


async def test_received_snapshot_is_restored_before_it_is_acknowledged(bench: Bench) -> None:
    snapshot = Snapshot(meta=SnapshotMeta(index=40, term=1))
    message = Message(
        kind=MessageKind.STORAGE_APPEND,
        snapshot=snapshot,
        responses=(Message(kind=MessageKind.APPEND_REPLY, to=2, index=40),),
    )

    bench.writer.put(message)
    await bench.settle()

    assert [snapshot.meta] == [each.meta for each in bench.restored]
    assert [40] == bench.said
    assert 40 == bench.mirror.last_index()


def test_merged_entries_replace_from_their_first_index_on() -> None:
    first = work(entry(5), entry(6), entry(7))
    second = work(entry(6, term=2))
    third = work(entry(4, term=3))

    assert (None, [entry(5), entry(6, term=2)]) == merge([first, second])
    assert (None, [entry(4, term=3)]) == merge([first, second, third])


def test_merged_snapshot_drops_the_entries_before_it() -> None:
    snapshot = Snapshot(meta=SnapshotMeta(index=9, term=2))
    received = Message(kind=MessageKind.STORAGE_APPEND, snapshot=snapshot)

    merged = merge([work(entry(5)), received, work(entry(10, term=2))])

    assert (snapshot, [entry(10, term=2)]) == merged
