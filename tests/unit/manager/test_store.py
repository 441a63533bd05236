"""The store over a log: updates share entries, fail whole, and never half-show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest
import pytest_asyncio
from msgspec.structs import replace

from api.cluster_errors import ServiceExists, StaleVersion
from manager.core.objects.service import Service
from manager.core.store.command import Action
from manager.core.store.entry import Change, EntryLimits
from manager.core.store.errors import LaggedBehind, UnreadableState
from manager.core.store.tables import SERVICES
from manager.core.store.transaction import Transaction
from manager.core.store.watch import Match
from manager.ports.outcomes import NotDone, NotLeader, OutcomeUnknown
from manager.store import Store
from tests.fakes.proposer import FakeProposer
from tests.unit.manager.core.store.builders import NOW_NS, entry, service


class Manager:
    """A store with its log, and the task that commits."""

    def __init__(self, limits: EntryLimits | None = None) -> None:
        self.store = Store(lambda: NOW_NS, limits)
        self.log = FakeProposer(self.store.apply)
        self.running = asyncio.create_task(self.store.run(self.log))

    async def stop(self) -> None:
        self.running.cancel()
        with suppress(asyncio.CancelledError):
            await self.running

    def names(self) -> list[str]:
        return [found.spec.Name for found in self.store.view().services]


@pytest_asyncio.fixture
async def manager() -> AsyncIterator[Manager]:
    made = Manager()
    yield made
    await made.stop()


def create(name: str) -> Change[Service]:
    return lambda tx: tx.services.create(service(name, name))


def rename(object_id: str, name: str) -> Change[Service]:
    def change(tx: Transaction) -> Service:
        found = tx.services.need(object_id)
        return tx.services.update(replace(found, spec=replace(found.spec, Name=name)))

    return change


async def test_an_update_is_there_when_it_returns(manager: Manager) -> None:
    await manager.store.update(create("a"))

    view = manager.store.view()
    assert ["a"] == manager.names()
    assert manager.log.index == view.version == view.services.need("a").meta.version_index


async def test_updates_that_wait_share_one_entry(manager: Manager) -> None:
    manager.log.hold()
    first = asyncio.create_task(manager.store.update(create("a")))
    await manager.log.arrived.wait()
    others = [asyncio.create_task(manager.store.update(create(name))) for name in "bcd"]
    await asyncio.sleep(0)

    manager.log.release()
    await asyncio.gather(first, *others)

    assert 2 == len(manager.log.entries)
    assert list("abcd") == manager.names()


async def test_a_change_that_raises_undoes_only_itself(manager: Manager) -> None:
    manager.log.hold()
    blocker = asyncio.create_task(manager.store.update(create("z")))
    await manager.log.arrived.wait()
    updates = [
        asyncio.create_task(manager.store.update(change))
        for change in (create("a"), create("A"), rename("missing", "x"), create("b"))
    ]
    manager.log.release()

    results = await asyncio.gather(*updates, return_exceptions=True)

    await blocker
    assert isinstance(results[1], ServiceExists)
    assert ["a", "b", "z"] == manager.names()
    assert 2 == len(manager.log.entries)


async def test_the_second_of_two_updates_of_one_version_is_out_of_sequence(
    manager: Manager,
) -> None:
    """Also when both go into the same entry: a version is used up by one update."""
    await manager.store.update(create("a"))
    seen = manager.store.view().services.need("a")

    def mark(number: int) -> Change[Service]:
        return lambda tx: tx.services.update(replace(seen, spec_version=number))

    results = await asyncio.gather(
        *(manager.store.update(mark(number)) for number in (1, 2)), return_exceptions=True
    )

    assert isinstance(results[1], StaleVersion)
    assert 1 == manager.store.view().services.need("a").spec_version


@pytest.mark.parametrize(
    ("fate", "error"), [("drop", NotDone), ("depose", NotLeader), ("lose", OutcomeUnknown)]
)
async def test_nothing_of_a_failed_update_shows(
    manager: Manager, fate: str, error: type[Exception]
) -> None:
    manager.log.fates.append(fate)

    with pytest.raises(error):
        await manager.store.update(create("a"))

    assert [] == manager.names()
    await manager.store.update(create("a"))
    assert ["a"] == manager.names()


async def test_an_unknown_outcome_may_turn_out_well(manager: Manager) -> None:
    manager.log.fates.append("surprise")

    with pytest.raises(OutcomeUnknown):
        await manager.store.update(create("a"))

    assert ["a"] == manager.names()


async def test_all_that_wait_fail_when_leadership_is_lost(manager: Manager) -> None:
    manager.log.hold()
    first = asyncio.create_task(manager.store.update(create("a")))
    await manager.log.arrived.wait()
    second = asyncio.create_task(manager.store.update(create("b")))
    await asyncio.sleep(0)

    manager.log.is_leader = False
    manager.log.release()
    results = await asyncio.gather(first, second, return_exceptions=True)

    assert [NotLeader, NotLeader] == [type(result) for result in results]
    assert [] == manager.names()


async def test_a_change_that_was_overtaken_runs_again_on_the_state_of_now(
    manager: Manager,
) -> None:
    """Another leader's entry came first: what was computed without it must not count."""
    await manager.store.update(create("a"))
    base = manager.store._state
    manager.log.hold()
    update = asyncio.create_task(manager.store.update(rename("a", "ours")))
    await manager.log.arrived.wait()

    manager.log.commit(entry(base, rename("a", "theirs"), create("b")))
    manager.log.release()
    await update

    assert ["ours", "b"] == manager.names()


async def test_what_wrote_nothing_is_only_said_after_a_barrier(manager: Manager) -> None:
    """A leader that was deposed must not say "no such service" of one that its successor made."""
    manager.log.hold()
    update = asyncio.create_task(manager.store.update(rename("a", "ours")))
    await manager.log.arrived.wait()

    manager.log.commit(entry(manager.store._state, create("a")))
    manager.log.release()
    await update

    assert ["ours"] == manager.names()


async def test_a_cancelled_caller_cancels_nobody_else(manager: Manager) -> None:
    manager.log.hold()
    first = asyncio.create_task(manager.store.update(create("a")))
    await manager.log.arrived.wait()
    second, third = (asyncio.create_task(manager.store.update(create(n))) for n in "bc")
    await asyncio.sleep(0)

    second.cancel()
    first.cancel()
    manager.log.release()
    await third

    assert ["a", "c"] == manager.names()


async def test_a_store_that_stops_fails_those_who_wait() -> None:
    manager = Manager()
    manager.log.hold()
    first = asyncio.create_task(manager.store.update(create("a")))
    await manager.log.arrived.wait()
    second = asyncio.create_task(manager.store.update(create("b")))
    await asyncio.sleep(0)

    await manager.stop()
    results = await asyncio.gather(first, second, return_exceptions=True)

    assert isinstance(results[0], OutcomeUnknown)
    assert isinstance(results[1], NotDone)
    with pytest.raises(NotDone, match="stopping"):
        await manager.store.update(create("c"))


async def test_a_batch_takes_as_few_entries_as_limits_allow() -> None:
    manager = Manager(EntryLimits(max_objects=10))

    results = await manager.store.batch(create(f"s{n:02}") for n in range(35))
    await manager.stop()

    assert [f"s{n:02}" for n in range(35)] == [result.id for result in results]
    assert 4 == len(manager.log.entries)


async def test_a_batch_is_cut_by_bytes_too() -> None:
    manager = Manager(EntryLimits(max_bytes=1000))

    await manager.store.batch(create(f"{n}" * 200) for n in range(9))
    await manager.stop()

    assert len(manager.log.entries) > 2
    assert all(len(data) <= 1000 for _, data in manager.log.entries)
    assert 9 == len(manager.names())


async def test_a_batch_ends_at_the_change_that_raises(manager: Manager) -> None:
    with pytest.raises(ServiceExists):
        await manager.store.batch(create(name) for name in ("a", "b", "A", "c"))

    assert ["a", "b"] == manager.names()


async def test_a_batch_ends_where_its_source_does(manager: Manager) -> None:
    def changes() -> Iterator[Change[Service]]:
        yield create("a")
        raise UnreadableState("no more")

    with pytest.raises(UnreadableState):
        await manager.store.batch(changes())

    assert ["a"] == manager.names()
    assert [] == await manager.store.batch([])


async def test_an_update_does_not_wait_for_a_large_batch() -> None:
    manager = Manager(EntryLimits(max_objects=5))
    batch = asyncio.create_task(manager.store.batch(create(f"s{n:03}") for n in range(100)))
    await manager.log.arrived.wait()

    await manager.store.update(create("me"))

    assert not batch.done()
    assert len(manager.log.entries) < 5
    await batch
    await manager.stop()


async def test_watchers_hear_of_commits(manager: Manager) -> None:
    with manager.store.watch(Match(SERVICES)) as changes:
        await manager.store.update(create("a"))

        events = await anext(changes)

    assert [(Action.CREATE, "a")] == [(event.action, event.object.id) for event in events]


async def test_a_watcher_from_a_view_on_misses_nothing(manager: Manager) -> None:
    await manager.store.update(create("a"))
    view = manager.store.view()
    await manager.store.update(create("b"))

    with manager.store.watch(Match(SERVICES), since=view.version) as changes:
        assert ["b"] == [event.object.id for event in await anext(changes)]


async def test_a_restored_store_goes_on_from_the_dump(manager: Manager) -> None:
    await manager.store.update(create("a"))
    other = Manager()
    changes = other.store.watch(Match(SERVICES))

    other.store.load(manager.store.dump())(manager.log.index)
    other.log.index = manager.log.index
    await other.store.update(rename("a", "b"))
    await other.stop()

    assert ["b"] == other.names()
    with pytest.raises(LaggedBehind):
        await anext(changes)
    changes.close()


async def test_a_dump_is_of_the_moment_that_it_was_asked_for(manager: Manager) -> None:
    await manager.store.update(create("a"))
    pieces = manager.store.dump()
    await manager.store.update(create("b"))

    other = Manager()
    other.store.load(pieces)(1)
    await other.stop()

    assert ["a"] == other.names()


async def test_a_damaged_dump_leaves_the_state_as_it_was(manager: Manager) -> None:
    await manager.store.update(create("a"))

    with pytest.raises(UnreadableState):
        manager.store.load(list(manager.store.dump())[:-1])(1)

    assert ["a"] == manager.names()
