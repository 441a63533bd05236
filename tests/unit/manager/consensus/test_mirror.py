"""The log in memory: old entries are packed, and nobody who reads it can tell."""

from __future__ import annotations

import os

from manager.consensus.mirror import Mirror
from manager.consensus.packing import PackedEntry, data_bytes, pack, unpack
from manager.core.raft.memory_log import MemoryLog
from manager.core.raft.messages import ConfState, Entry, Snapshot, SnapshotMeta
from tests.fakes.raft_log import FakeLog

NO_LIMIT = 1 << 62


def entry(index: int, term: int = 1, size: int = 8000) -> Entry:
    """Return an entry with data of its own."""
    seed = f"{term}.{index} "
    return Entry(term=term, index=index, data=(seed * size)[:size].encode(), key=b"k%d" % index)


class Both:
    """A mirror, and a plain log that is given the same."""

    def __init__(self) -> None:
        self.mirror = Mirror(FakeLog().stored())
        self.plain = MemoryLog()

    def append(self, *entries: Entry) -> None:
        self.mirror.append(entries)
        self.plain.append(entries)

    def assert_alike(self, max_bytes: int = NO_LIMIT) -> None:
        first, end = self.plain.first_index(), self.plain.last_index() + 1
        assert (first, end - 1) == (self.mirror.first_index(), self.mirror.last_index())
        for lo in range(first, end):
            expected = self.plain.entries(lo, end, max_bytes)
            assert expected == self.mirror.entries(lo, end, max_bytes)
            assert self.plain.term(lo) == self.mirror.term(lo)

    def packed(self) -> list[int]:
        """Return the indexes of packed entries."""
        return [each.index for each in self.mirror._entries if isinstance(each, PackedEntry)]


def test_pack_gives_the_entry_back_and_leaves_small_ones_alone() -> None:
    large, small = entry(1), entry(2, size=100)

    assert (large, len(large.data)) == (unpack(pack(large)), data_bytes(pack(large)))
    assert len(pack(large).data) < len(large.data) // 4
    assert pack(small) is small
    assert pack(pack(large)) == pack(large)


def test_data_that_does_not_compress_comes_back_whole() -> None:
    noise = Entry(term=1, index=1, data=os.urandom(9000))

    assert noise == unpack(pack(noise))


def test_readers_cannot_tell_packed_entries_from_others() -> None:
    both = Both()
    for index in range(1, 40):
        both.append(entry(index, size=8000 if index % 3 else 10))

    assert both.packed()
    assert 39 not in both.packed()
    both.assert_alike()
    both.assert_alike(max_bytes=20_000)
    both.assert_alike(max_bytes=0)


def test_entries_that_replace_packed_ones_are_read_instead() -> None:
    both = Both()
    both.append(*(entry(index) for index in range(1, 40)))
    both.append(*(entry(index, term=2) for index in range(5, 60)))
    both.append(*(entry(index, term=3) for index in range(60, 90)))

    both.assert_alike()
    assert [*range(1, 74)] == both.packed()


def test_compaction_and_a_received_snapshot_leave_what_follows() -> None:
    both = Both()
    for log in (both.mirror, both.plain):
        log.append([entry(index) for index in range(1, 60)])
        log.create_snapshot(50, ConfState(), b"")
        log.compact(30)
    both.append(*(entry(index) for index in range(60, 70)))
    both.assert_alike()

    snapshot = Snapshot(SnapshotMeta(index=200, term=1))
    both.mirror.apply_snapshot(snapshot)
    both.plain.apply_snapshot(snapshot)
    both.append(*(entry(index) for index in range(201, 230)))
    both.append(entry(230))
    both.assert_alike()
    assert [*range(201, 215)] == both.packed()


def test_size_between_counts_what_was_said() -> None:
    both = Both()
    for index in range(1, 60):
        both.append(entry(index))

    assert 8000 * 40 == both.mirror.size_between(10, 50)
    assert both.mirror.size_between(20, 20) == 0
