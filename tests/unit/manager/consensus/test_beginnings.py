"""How logs begin: a first member, a dump, and a survivor that goes on alone."""

from __future__ import annotations

import pytest

from api.errors import Conflict
from manager.consensus.beginnings import begin_cluster, begin_with_dump, force_new_cluster
from manager.consensus.roster import decode_seats
from manager.core.raft.messages import EntryKind, HardState, decode_change
from tests.fakes.raft_exchange import exchange, seat
from tests.fakes.raft_log import FakeLog


async def test_first_member_votes_for_itself_alone() -> None:
    log = FakeLog(7)

    await begin_cluster(log, log.stored(), seat(7))

    (entry,) = log.entries
    assert EntryKind.CHANGE is entry.kind
    assert {7: seat(7)} == decode_seats(decode_change(entry.data).context)
    assert 1 == log.hard_state.commit


async def test_dump_is_begun_with_at_its_index() -> None:
    log = FakeLog(7)

    await begin_with_dump(log, log.stored(), seat(7), [b"one", b"two"], index=500)

    assert (500, 2) == (log.snapshot.meta.index, log.snapshot.pieces)
    assert (7,) == log.snapshot.meta.conf.voters
    assert 500 == log.hard_state.commit == log.start.index


async def test_used_log_is_not_begun_again() -> None:
    log = FakeLog(7)
    await begin_cluster(log, log.stored(), seat(7))

    with pytest.raises(Conflict):
        await begin_cluster(log, log.stored(), seat(7))
    with pytest.raises(Conflict):
        await begin_with_dump(log, log.stored(), seat(7), [], index=5)


async def test_survivor_keeps_its_whole_log_and_takes_the_others_out() -> None:
    """Also what it does not know to be committed: it may have been acknowledged."""
    async with exchange(3) as made:
        await made.stop(1)
        await made.stop(2)
        await made.stop(3)
        log = made.logs[3]
        log.hard_state = HardState(term=log.hard_state.term, vote=log.hard_state.vote, commit=2)
        before = list(log.entries)

        await force_new_cluster(log, log.stored(), seat(3))
        survivor = await made.start(3)
        await made.leader(3)

        assert before == log.entries[: len(before)]
        assert [3] == [member.raft_id for member in survivor.membership.known()]
        assert {1, 2} == survivor.membership.removed


async def test_there_is_nothing_to_force_without_a_cluster() -> None:
    log = FakeLog(7)

    with pytest.raises(Conflict, match="never part of a cluster"):
        await force_new_cluster(log, log.stored(), seat(7))
