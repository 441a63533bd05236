"""The checks are checked: a storage worker with one rule broken is found out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

import manager.consensus.consensus as assembly
from manager.consensus.writer import Writer, merge
from manager.core.raft.messages import HardState, Message
from manager.ports.log import Batch
from tests.consensus.registers import Command
from tests.fakes.raft_exchange import Exchange, exchange


class AnswersFirst(Writer):
    """Acknowledges before anything is written."""

    def put(self, message: Message) -> None:
        self._mirror.append(message.entries)
        self._respond(message)
        super().put(msgspec.structs.replace(message, responses=()))

    async def _write(self, messages: Sequence[Message]) -> None:
        await self._log.write(Batch(merge(messages)[1], self._latest))


class ForgetsTheVote(Writer):
    """Takes a vote for something that needs no write."""

    def _needs_write(self, message: Message) -> bool:
        return bool(message.entries or message.snapshot)

    async def _write(self, messages: Sequence[Message]) -> None:
        self._latest = HardState(term=self._written.term, vote=0, commit=self._latest.commit)
        await super()._write(messages)


class ForgetsTheCommitIndex(Writer):
    """Leaves out of later writes what was not worth a write of its own."""

    async def _write(self, messages: Sequence[Message]) -> None:
        told = [message for message in messages if message.term]
        commit = told[-1].commit if told else self._written.commit
        self._latest = HardState(term=self._latest.term, vote=self._latest.vote, commit=commit)
        await super()._write(messages)


async def acknowledged_writes_survive_a_crash(made: Exchange) -> bool:
    """Tell whether what was acknowledged is there after all lose what was not on disk."""
    for log in made.logs.values():
        log.hold()
    writing = asyncio.create_task(made.members[1].propose(msgspec.msgpack.encode(Command("a", 7))))
    for _ in range(300):
        await asyncio.sleep(0)
    was_acknowledged = writing.done()
    for raft_id in (1, 2, 3):
        await made.stop(raft_id)
        made.logs[raft_id].release()
    await asyncio.gather(writing, return_exceptions=True)
    for raft_id in (1, 2, 3):
        await made.start(raft_id)
    await made.leader()
    return not was_acknowledged or made.registers[1].values.get("a") == 7


async def votes_survive_a_crash(made: Exchange) -> bool:
    """Tell whether a voter still knows whom it voted for after a restart."""
    made.cut = {1}
    leader = await made.leader(2, 3)
    term, voter = leader.status().term, 3 if leader is made.members[2] else 2
    await made.stop(voter)
    stored = made.logs[voter].hard_state
    return stored.term == term and stored.vote == leader.status().raft_id


async def memberships_survive_a_crash(made: Exchange) -> bool:
    """Tell whether a first member that comes back waits for the others' votes."""
    await made.stop(1)
    restarted = await made.start(1)
    for _ in range(300):
        await asyncio.sleep(0)
    return not restarted.is_leader


CHECKS: dict[type[Writer], Callable[[Exchange], Any]] = {
    AnswersFirst: acknowledged_writes_survive_a_crash,
    ForgetsTheVote: votes_survive_a_crash,
    ForgetsTheCommitIndex: memberships_survive_a_crash,
}


@pytest.mark.parametrize("writer", [Writer, *CHECKS])
async def test_broken_writer_is_found_out_and_the_real_one_is_not(
    writer: type[Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assembly, "Writer", writer)
    checks = CHECKS.values() if writer is Writer else [CHECKS[writer]]
    for check in checks:
        async with exchange(3) as made:
            assert (writer is Writer) == await check(made), check.__name__
