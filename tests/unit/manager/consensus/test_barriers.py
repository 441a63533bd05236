"""Linearizable reads: shared rounds, no stale answers, an end without a leader."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from api.swarm_errors import NoLeader
from manager.consensus.barriers import Barriers
from manager.core.raft.errors import ProposalDropped
from manager.core.raft.ready import ReadState


class Leader:
    """Notes what it is asked; refuses while there is none."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.is_there = True
        self.barriers = Barriers(self.ask, mark=b"mark", again_s=1, limit_s=0.2)

    def ask(self, context: bytes) -> None:
        if not self.is_there:
            raise ProposalDropped("no leader is known")
        self.asked.append(context)

    def answer(self, index: int, which: int = -1) -> None:
        self.barriers.answered([ReadState(index=index, context=self.asked[which])], 0)

    async def readers(self, count: int) -> Sequence[asyncio.Task[None]]:
        """Return readers that wait."""
        tasks = [asyncio.create_task(self.barriers.wait(0)) for _ in range(count)]
        await asyncio.sleep(0)
        return tasks


@pytest.fixture
async def leader() -> Leader:
    """Lend a leader to ask."""
    return Leader()


async def test_readers_share_a_round_but_none_joins_one_on_its_way(leader: Leader) -> None:
    (first,) = await leader.readers(1)
    later = await leader.readers(5)
    assert 1 == len(leader.asked)

    leader.answer(0)
    await first
    assert 2 == len(leader.asked)
    assert not any(reader.done() for reader in later)
    leader.answer(0)
    await asyncio.gather(*later)


async def test_reader_waits_until_the_index_is_applied(leader: Leader) -> None:
    (reader,) = await leader.readers(1)
    leader.answer(7)
    leader.barriers.applied(6)
    await asyncio.sleep(0)
    assert not reader.done()

    leader.barriers.applied(7)
    await reader


async def test_answers_to_other_questions_are_ignored(leader: Leader) -> None:
    """An answer to the process before this one, or to a question that was asked again."""
    (reader,) = await leader.readers(1)
    leader.barriers.answered([ReadState(index=0, context=b"other")], 0)
    leader.barriers.tick(2)
    leader.answer(0, which=0)
    await asyncio.sleep(0)
    assert not reader.done()

    leader.answer(0)
    await reader


async def test_it_is_asked_again_once_there_is_a_leader(leader: Leader) -> None:
    leader.is_there = False
    (reader,) = await leader.readers(1)
    leader.is_there = True

    leader.barriers.tick(2)
    leader.answer(0)
    await reader


async def test_without_a_leader_the_read_fails(leader: Leader) -> None:
    leader.is_there = False

    with pytest.raises(NoLeader):
        await leader.barriers.wait(0)


async def test_reader_that_gave_up_holds_nobody_up(leader: Leader) -> None:
    first, second = await leader.readers(2)
    first.cancel()
    await asyncio.sleep(0)
    leader.answer(0)
    await asyncio.sleep(0)

    leader.answer(0)
    await second
