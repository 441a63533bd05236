"""Members in one process: what is promised of proposals, reads, leadership and the disk."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from api.swarm_errors import NoLeader
from manager.consensus.settings import Settings
from manager.core.raft.errors import ProposalTooLarge
from manager.core.raft.messages import Message, MessageKind
from manager.ports.log import LogFailed
from manager.ports.outcomes import NotDone, NotLeader, OutcomeUnknown
from tests.consensus.registers import Command
from tests.fakes.raft_exchange import Exchange, exchange

OFTEN = Settings(snapshot_entries=10, trailing_entries=2)


def command(value: int) -> bytes:
    return msgspec.msgpack.encode(Command("a", value))


async def done(made: Exchange, task: asyncio.Task[int]) -> int:
    """Let time pass until a proposal has ended; return its index or raise."""
    await made.until(task.done, "the proposal to end")
    return await task


async def test_proposal_is_applied_here_when_it_returns() -> None:
    async with exchange(3) as made:
        leader = made.members[1]

        index = await done(made, asyncio.create_task(leader.propose(command(7))))

        assert index == leader.status().applied_index
        assert 7 == made.registers[1].values["a"]


async def test_follower_takes_no_proposals_and_knows_where_to_go() -> None:
    async with exchange(3) as made:
        with pytest.raises(NotLeader):
            await made.members[2].propose(command(1))

        assert "host1:2377" == made.members[2].leader_address


async def test_oversized_command_is_refused_at_once() -> None:
    async with exchange(1) as made:
        with pytest.raises(ProposalTooLarge):
            await made.members[1].propose(bytes(2 << 20))


async def test_nothing_that_follows_from_a_write_is_said_before_it_is_durable() -> None:
    """Followers' acknowledgements, votes and the client's answer all wait for the disk."""
    async with exchange(3) as made:
        for raft_id in (1, 2, 3):
            made.logs[raft_id].hold()
        made.sent.clear()
        proposal = asyncio.create_task(made.members[1].propose(command(7)))
        for _ in range(300):
            await asyncio.sleep(0)

        place = made.members[1].status().last_index
        assert any(place in [entry.index for entry in each.entries] for each in made.sent)
        assert not any(acknowledges(each, place) for each in made.sent)
        made.logs[2].release()
        await made.until(lambda: any(acknowledges(each, place) for each in made.sent), "a copy")
        assert not proposal.done(), "one copy is no quorum"
        made.logs[3].release()
        made.logs[1].release()
        await done(made, proposal)


def acknowledges(message: Message, index: int) -> bool:
    """Tell whether a message says that an entry is stored."""
    return message.kind is MessageKind.APPEND_REPLY and message.index >= index


async def test_quorum_without_the_leaders_own_disk_commits() -> None:
    """Raft thesis 10.2.1: copies at a majority are enough, wherever they are."""
    async with exchange(3) as made:
        made.logs[1].hold()
        proposal = asyncio.create_task(made.members[1].propose(command(7)))

        # It is applied here only once it is stored here, too.
        await made.until(lambda: 7 == made.registers[2].values.get("a"), "a follower to apply it")
        assert not proposal.done()
        made.logs[1].release()
        await done(made, proposal)


async def test_failed_write_ends_the_member() -> None:
    async with exchange(3) as made:
        made.logs[1].fails = True
        proposal = asyncio.create_task(made.members[1].propose(command(7)))
        await made.until(lambda: made.failure(1) is not None, "the member to end")

        assert isinstance(made.failure(1), LogFailed)
        with pytest.raises(OutcomeUnknown):
            await proposal


async def test_failing_state_machine_ends_the_member() -> None:
    async with exchange(1) as made:
        proposal = asyncio.create_task(made.members[1].propose(b"no command"))
        await made.until(lambda: made.failure(1) is not None, "the member to end")

        assert isinstance(made.failure(1), msgspec.DecodeError)
        with pytest.raises(OutcomeUnknown):
            await proposal


async def test_proposal_that_another_leader_overtook_was_certainly_not_made() -> None:
    async with exchange(3) as made:
        made.cut = {1}
        proposal = asyncio.create_task(made.members[1].propose(command(7)))
        await asyncio.sleep(0)
        leader = await made.leader(2, 3)
        await done(made, asyncio.create_task(leader.propose(command(8))))
        made.cut = set()

        with pytest.raises(NotDone):
            await done(made, proposal)
        await made.until(lambda: 8 == made.registers[1].values.get("a"), "it to follow")


async def test_proposal_without_a_quorum_ends_as_unknown() -> None:
    """It lies in a log, and may yet be committed."""
    async with exchange(3) as made:
        made.cut = {1}
        began_s = made.clock.now_s()
        proposal = asyncio.create_task(made.members[1].propose(command(7)))

        with pytest.raises(OutcomeUnknown):
            await done(made, proposal)
        assert made.clock.now_s() - began_s < 6


async def test_proposal_covered_by_a_snapshot_ends_as_unknown_or_not_done() -> None:
    async with exchange(3, OFTEN) as made:
        made.cut = {1}
        proposal = asyncio.create_task(made.members[1].propose(command(7)))
        await asyncio.sleep(0)
        leader = await made.leader(2, 3)
        for value in range(40):
            await done(made, asyncio.create_task(leader.propose(command(value))))
        made.cut = set()

        with pytest.raises((OutcomeUnknown, NotDone)):
            await done(made, proposal)
        await made.until(lambda: 39 == made.registers[1].values.get("a"), "it to catch up")


async def test_many_proposals_share_writes() -> None:
    async with exchange(3) as made:
        before = len(made.logs[1].batches)
        proposals = [asyncio.create_task(made.members[1].propose(command(n))) for n in range(200)]
        for proposal in proposals:
            await done(made, proposal)

        assert len(made.logs[1].batches) - before < 10


async def test_read_on_any_member_sees_what_was_acknowledged() -> None:
    async with exchange(3) as made:
        await done(made, asyncio.create_task(made.members[1].propose(command(7))))
        for raft_id in (1, 2, 3):
            reading = asyncio.create_task(made.members[raft_id].read_barrier())
            await made.until(reading.done, "the read")

            assert 7 == made.registers[raft_id].values["a"]


async def test_read_without_a_leader_fails() -> None:
    settings = Settings(barrier_s=0.05)
    async with exchange(3, settings) as made:
        made.cut = {1, 2, 3}
        await made.until(lambda: made.members[2].leader_address is None, "no leader")

        with pytest.raises(NoLeader):
            await made.members[2].read_barrier()


async def test_leadership_is_handed_over() -> None:
    async with exchange(3) as made:
        handing = asyncio.create_task(made.members[1].membership.transfer_leadership())
        await made.until(handing.done, "the transfer")
        await handing

        await made.leader(2, 3)
        assert not made.members[1].is_leader


async def test_member_starts_from_its_dump_and_the_entries_after_it() -> None:
    async with exchange(1, OFTEN) as made:
        for value in range(35):
            await done(made, asyncio.create_task(made.members[1].propose(command(value))))
        await made.until(lambda: made.logs[1].start.index > 0, "the log to be cut")
        await made.stop(1)

        await made.start(1)
        await made.leader()

        assert 34 == made.registers[1].values["a"]


async def test_restarted_member_knows_the_membership_that_it_acknowledged_under() -> None:
    """The commit index may be written late, but never later than what follows from it."""
    async with exchange(3) as made:
        await done(made, asyncio.create_task(made.members[1].propose(command(7))))
        await made.stop(1)

        restarted = await made.start(1)

        assert not restarted.is_leader
        await made.until(lambda: 3 == len(restarted.membership.known()), "it to apply its log")
        assert {1, 2, 3} == set(restarted.status().raft.conf.voters)


async def test_lost_leadership_is_heard_of() -> None:
    async with exchange(3) as made:
        leads = made.members[1].leads()
        before = await anext(leads)
        moving = asyncio.create_task(made.members[2].lost("host1:2377"))
        made.cut = {1}

        await made.until(lambda: not made.members[1].is_leader, "the leader to miss its quorum")
        assert before.is_own
        assert not (await anext(leads)).is_own
        await made.until(moving.done, "a follower to hear of it")


async def test_clock_that_jumps_causes_no_election() -> None:
    """As after a stop of the whole machine: one tick passes, whatever the clock says."""
    async with exchange(3) as made:
        before = made.members[1].status().term
        for _ in range(5):
            made.clock.advance(3600)
            await done(made, asyncio.create_task(made.members[1].propose(command(7))))

        assert before == made.members[1].status().term
        assert made.members[1].is_leader


async def test_new_leader_listens_before_it_calls_a_member_gone() -> None:
    async with exchange(3) as made:
        made.cut = {1}
        leader = await made.leader(2, 3)
        made.cut = set()
        removing = asyncio.create_task(leader.membership.remove(1))

        await made.until(removing.done, "the removal")
        await removing


async def test_removed_member_is_told() -> None:
    async with exchange(3) as made:
        removing = asyncio.create_task(made.members[1].membership.remove(3))
        await made.until(removing.done, "the removal")
        await removing

        await made.until(made.members[3].removed.is_set, "it to be told")


async def test_members_that_were_told_off_make_no_majority() -> None:
    """A cluster was forced anew without them, and they are started again together."""
    async with exchange(3) as made:
        for raft_id in (2, 3):
            made.members[raft_id].on_removed()

        proposal = asyncio.create_task(made.members[1].propose(command(1)))

        with pytest.raises(OutcomeUnknown):
            await done(made, proposal)
