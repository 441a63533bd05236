"""The node's overlay networks: news taken over, unused networks dropped, places kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agent.core.overlay_news import NetworkNews, OverlayKey, OverlayNews, Place
from agent.overlay import NodeOverlays, NoManagers
from agent.session import NoNews
from api.types.cluster_networks import ClusterNetwork, NetworkSpec
from tests.fakes.clock import FakeClock
from tests.fakes.dispatchers import FakeManager
from tests.fakes.overlay_plane import FakeOverlayPlane
from tests.unit.agent.waiting import until


def network(network_id: str) -> ClusterNetwork:
    """Return a network of the cluster."""
    return ClusterNetwork(ID=network_id, Spec=NetworkSpec(Name=f"{network_id}_name"))


def whole(network_id: str) -> NetworkNews:
    """Return the first news of a network."""
    return NetworkNews(network_id=network_id, network=network(network_id))


class Bed:
    """A node's overlay networks, and the manager that tells of them."""

    def __init__(self) -> None:
        self.plane = FakeOverlayPlane()
        self.clock = FakeClock()
        self.manager = FakeManager()
        self.overlays = NodeOverlays(self.plane, self.clock, lambda: "n", lambda: "10.0.0.1")

    @asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        """Be in a session."""
        parts = [asyncio.ensure_future(each) for each in self.overlays.part_of(self.manager, "s")]
        try:
            yield
        finally:
            for each in parts:
                each.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    def tell(self, sequence: int, *networks: NetworkNews, is_complete: bool = False) -> None:
        """Let the manager tell."""
        news = OverlayNews(is_complete=is_complete, networks=networks, sequence=sequence)
        self.manager.overlay_news.put_nowait(news)


async def test_news_are_confirmed_once_they_are_in_the_tables() -> None:
    """The managers count on it before a task is stopped."""
    bed = Bed()
    async with bed.session():
        bed.tell(1, whole("a"), whole("b"), is_complete=True)
        await until(lambda: bed.manager.confirmed == [1])
        bed.tell(2, NetworkNews(network_id="a", removed_members=("m",)))
        await until(lambda: bed.manager.confirmed == [1, 2])

    assert [each.network_id for each in bed.plane.applied] == ["a", "b", "a"]


async def test_news_that_come_while_others_are_taken_over_become_one() -> None:
    """A node that is slower than what changes is never far behind."""
    bed = Bed()
    async with bed.session():
        bed.plane.is_free.clear()
        bed.tell(1, whole("a"), is_complete=True)
        await until(lambda: bed.plane.known() == {"a"})
        for sequence in (2, 3, 4):
            bed.tell(sequence, NetworkNews(network_id="a", removed_members=(f"m{sequence}",)))
        await until(bed.manager.overlay_news.empty)
        bed.plane.is_free.set()
        await until(lambda: bed.manager.confirmed == [1, 4])

    assert bed.plane.applied[1:] == [
        NetworkNews(network_id="a", removed_members=("m2", "m3", "m4"))
    ]


async def test_what_could_not_be_applied_is_told_anew_after_a_while() -> None:
    """What was in the way may be gone; the other networks do not wait for it."""
    bed = Bed()
    bed.plane.failing = {"a"}
    async with bed.session():
        bed.tell(1, whole("a"), whole("b"), is_complete=True)
        await until(lambda: bed.manager.confirmed == [1])
        bed.tell(2, NetworkNews(network_id="b", removed_members=("m",)))
        await until(lambda: bed.manager.confirmed == [1, 2])
        bed.plane.failing = set()
        before = bed.manager.overlay_streams
        await until(lambda: _advanced(bed) and bed.manager.overlay_streams == 2)
        bed.tell(1, whole("a"), whole("b"), is_complete=True)
        await until(lambda: bed.manager.confirmed == [1, 2, 1])
        for _ in range(100):
            _advanced(bed)
            await asyncio.sleep(0)

    assert (1, 2) == (before, bed.manager.overlay_streams)
    assert ["b", "b", "a", "b"] == [each.network_id for each in bed.plane.applied]


async def test_a_network_goes_when_no_container_is_on_it() -> None:
    """The last container may be a moment behind the managers' word."""
    bed = Bed()
    bed.plane.used.add("a")
    async with bed.session():
        bed.tell(1, whole("a"), is_complete=True)
        await until(lambda: bed.manager.confirmed == [1])
        bed.tell(2, NetworkNews(network_id="a", is_gone=True))
        await until(lambda: 2 in bed.manager.confirmed)
        bed.clock.advance(3)
        await until(lambda: True)
        assert bed.plane.known() == {"a"}
        bed.plane.used.clear()
        await until(lambda: _advanced(bed) and not bed.plane.known())


async def test_what_the_managers_do_not_tell_of_any_more_goes() -> None:
    """As after a time without them."""
    bed = Bed()
    await bed.plane.put(network("old"), "10.0.0.1")
    async with bed.session():
        bed.tell(1, whole("a"), is_complete=True)
        await until(lambda: _advanced(bed) and bed.plane.known() == {"a"})


async def test_keys_are_taken_over_after_networks_and_asked_for_anew_when_worn() -> None:
    """After a start peers are known first, so that nothing is taken away that is needed."""
    bed = Bed()
    keys = (OverlayKey(2, b"second"), OverlayKey(1, b"first"))
    async with bed.session():
        bed.manager.overlay_news.put_nowait(
            OverlayNews(is_complete=True, networks=(whole("a"),), keys=keys, sequence=1)
        )
        bed.tell(2, NetworkNews(network_id="a", removed_members=("m",)))
        await until(lambda: bed.manager.confirmed[-1:] == [2])
        assert bed.plane.keys == [keys]
        bed.plane.is_worn = True
        await until(lambda: _advanced(bed) and bed.manager.renewals > 0)

    assert "second" not in repr(keys)


async def test_a_place_needs_managers() -> None:
    """And makes its network known."""
    bed = Bed()
    with pytest.raises(NoManagers):
        await bed.overlays.attach("c", "a_name", ["c"])
    bed.manager.places.append(Place(network("a"), ("10.0.1.2/24",)))

    async with bed.session():
        bed.tell(1, is_complete=True)
        await until(lambda: bed.manager.confirmed == [1])
        place = await bed.overlays.attach("c", "a_name", ["c"])

    assert place.addresses == ("10.0.1.2/24",)
    assert bed.plane.known() == {"a"}


async def test_a_place_is_given_up_at_once() -> None:
    """Its network may be removed next; those that follow are told together, a moment later."""
    bed = Bed()
    async with bed.session():
        bed.tell(1, is_complete=True)
        await until(lambda: _advanced(bed) and len(bed.manager.kept) == 1)
        for _ in range(10):
            _advanced(bed)
            await asyncio.sleep(0)
        for _ in range(3):
            bed.overlays.detached()
            await until(lambda: len(bed.manager.kept) >= 2)

        assert 2 == len(bed.manager.kept)
        await until(lambda: _advanced(bed) and len(bed.manager.kept) == 3)


async def test_a_place_that_is_being_given_is_not_taken_back() -> None:
    """What is kept is told when no place is on its way: it would not be on the list."""
    bed = Bed()
    answer: asyncio.Future[Place] = asyncio.get_running_loop().create_future()

    begun = asyncio.Event()

    async def slow(*_: object) -> Place:
        begun.set()
        return await answer

    bed.manager.attach = slow  # type: ignore[method-assign,assignment]  # a manager that takes its time
    async with bed.session():
        bed.tell(1, is_complete=True)
        await until(lambda: _advanced(bed) and len(bed.manager.kept) == 1)
        attaching = asyncio.ensure_future(bed.overlays.attach("c", "a_name", ["c"]))
        await begun.wait()
        bed.overlays.detached()
        for _ in range(100):
            _advanced(bed)
            await asyncio.sleep(0)
        while_it_came = len(bed.manager.kept)
        answer.set_result(Place(network("a"), ("10.0.1.2/24",)))
        await attaching
        await until(lambda: _advanced(bed) and len(bed.manager.kept) == 2)

    assert 1 == while_it_came


async def test_the_end_of_a_task_does_not_wait_without_managers() -> None:
    """Nobody could be told."""
    await Bed().overlays.settle()


async def test_a_stream_that_ends_ends_the_session() -> None:
    """Another one tells everything anew."""
    bed = Bed()

    async def nothing(session_id: str) -> AsyncIterator[OverlayNews]:
        del session_id
        for _ in range(0):
            yield OverlayNews()

    bed.manager.overlays = nothing  # type: ignore[method-assign]  # a manager that says nothing
    listen, *others = bed.overlays.part_of(bed.manager, "s")
    for each in others:
        each.close()
    with pytest.raises(NoNews):
        await listen


def _advanced(bed: Bed) -> bool:
    bed.clock.advance(1)
    return True
