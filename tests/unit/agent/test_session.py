"""A node stays registered with whoever leads, and says that it is alive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from agent.core.peers import Peers
from agent.ports.dispatcher import Elsewhere, News, Registration
from agent.session import ManagerSession, SessionEnv
from agent.swarm.signal import Signal
from api.errors import NotFound, SkepError, Unavailable
from api.types.nodes import NodeDescription
from protos.identity.channels import Credentials
from tests.fakes.clock import FakeClock
from tests.fakes.dispatchers import FakeDispatchers, FakeManager, news
from tests.unit.agent.waiting import until

ONE, TWO = "10.0.0.1:2377", "10.0.0.2:2377"
BOTH = (("m1", ONE), ("m2", TWO))


class Bed:
    """A session among fakes; chance is always 0, so the first peer is tried first."""

    def __init__(self) -> None:
        self.managers = {ONE: FakeManager(), TWO: FakeManager()}
        self.dispatchers = FakeDispatchers(dict(self.managers))
        self.clock = FakeClock()
        self.hostname = "a"
        self.renewed = Signal()
        self.heard: list[News] = []
        self.losses: list[SkepError] = []
        env = SessionEnv(
            dispatchers=self.dispatchers,
            clock=self.clock,
            chance=lambda: 0.0,
            credentials=lambda: Credentials(b"", b"chain", b""),
            credentials_changed=self.renewed.next,
            register=self._register,
            on_news=self._hear,
            on_loss=self.losses.append,
        )
        self.session = ManagerSession(env, Peers().told(BOTH))

    async def _register(self, previous: str) -> Registration:
        return Registration(
            description=NodeDescription(Hostname=self.hostname), previous_session_id=previous
        )

    async def _hear(self, told: News) -> None:
        self.heard.append(told)

    async def registered(self, count: int = 1, at: str = ONE, told: News | None = None) -> None:
        """Let the manager take the session that it has been asked for."""
        await until(lambda: len(self.managers[at].registrations) == count, "a registration")
        self.managers[at].messages.put_nowait(told or news(f"s{count}", managers=BOTH))
        await until(lambda: bool(self.heard))


@pytest.fixture
async def bed() -> AsyncIterator[Bed]:
    """Lend a session that runs."""
    made = Bed()
    running = asyncio.ensure_future(made.session.run())
    yield made
    running.cancel()
    await asyncio.wait({running})


async def test_news_are_handed_up_as_they_come(bed: Bed) -> None:
    await bed.registered()
    bed.managers[ONE].messages.put_nowait(news("s1", renew=True))

    await until(lambda: len(bed.heard) == 2)

    assert [False, True] == [each.renew_certificate for each in bed.heard]


async def test_heartbeats_come_within_the_period(bed: Bed) -> None:
    await bed.registered()
    for count in range(1, 4):
        await asyncio.sleep(0)
        bed.clock.advance(5.0)
        await until(lambda n=count: len(bed.managers[ONE].beats) == n)  # type: ignore[misc] # bound

    assert ["s1"] * 3 == bed.managers[ONE].beats


async def test_who_does_not_lead_names_the_leader_who_is_asked_at_once(bed: Bed) -> None:
    await until(lambda: len(bed.managers[ONE].registrations) == 1)
    bed.managers[ONE].messages.put_nowait(Elsewhere("m2", TWO))

    await bed.registered(at=TWO)

    assert [ONE, TWO] == bed.dispatchers.tried


async def test_managers_that_send_one_another_on_do_not_keep_the_agent_running(bed: Bed) -> None:
    """After an election managers may believe in different leaders for a while."""
    for address, other in ((ONE, TWO), (TWO, ONE)):
        for _ in range(20):
            bed.managers[address].messages.put_nowait(Elsewhere("m", other))

    for _ in range(100):
        await asyncio.sleep(0)

    assert 4 == len(bed.dispatchers.tried), "three hops, then a wait"


async def test_a_manager_that_does_not_answer_is_left_for_another(bed: Bed) -> None:
    bed.managers[ONE].messages.put_nowait(Unavailable("connection refused"))
    await until(lambda: len(bed.losses) == 1)

    bed.clock.advance(0.2)

    await bed.registered(at=TWO)


async def test_a_lost_session_is_continued_under_its_number(bed: Bed) -> None:
    await bed.registered()
    bed.managers[ONE].messages.put_nowait(None)
    await until(lambda: len(bed.losses) == 1)
    bed.clock.advance(0.2)

    await until(lambda: len(bed.managers[TWO].registrations) == 1)

    assert "s1" == bed.managers[TWO].registrations[0].previous_session_id


async def test_a_heartbeat_that_is_not_known_begins_a_session_anew(bed: Bed) -> None:
    await bed.registered()
    bed.managers[ONE].beat_error = NotFound("no such session")
    await asyncio.sleep(0)
    bed.clock.advance(5.0)
    await until(lambda: len(bed.losses) == 1)
    bed.clock.advance(0.2)

    await until(lambda: len(bed.managers[TWO].registrations) == 1)

    assert "" == bed.managers[TWO].registrations[0].previous_session_id


async def test_a_new_certificate_is_shown_at_once_to_the_same_manager(bed: Bed) -> None:
    await bed.registered()
    await asyncio.sleep(0)

    bed.renewed.give()

    await until(lambda: len(bed.managers[ONE].registrations) == 2)
    assert "s1" == bed.managers[ONE].registrations[1].previous_session_id
    assert [] == bed.losses


async def test_another_description_is_told(bed: Bed) -> None:
    """Labels of the engine may change by a reload."""
    await bed.registered()
    await asyncio.sleep(0)
    bed.hostname = "b"

    bed.clock.advance(20.0)

    await until(lambda: len(bed.managers[ONE].registrations) == 2)
    assert "b" == bed.managers[ONE].registrations[1].description.Hostname


async def test_without_anybody_there_waits_grow(bed: Bed) -> None:
    bed.dispatchers.managers.clear()
    for manager in bed.managers.values():
        manager.messages.put_nowait(Unavailable("gone"))
    await until(lambda: len(bed.losses) == 1)

    for count, wait_s in ((2, 0.1), (3, 0.2), (4, 0.4), (5, 0.8)):
        bed.clock.advance(wait_s - 0.01)
        await asyncio.sleep(0)
        assert count - 1 == len(bed.losses)
        bed.clock.advance(0.02)
        await until(lambda n=count: len(bed.losses) == n)  # type: ignore[misc] # bound


async def test_an_agent_that_ends_says_so_where_it_has_a_session(bed: Bed) -> None:
    await bed.session.pause()
    await bed.registered()
    await until(lambda: bool(bed.managers[ONE].registrations))

    await bed.session.pause()

    assert ["s1"] == bed.managers[ONE].pauses


async def test_managers_that_do_not_hear_it_hold_no_agent_up(bed: Bed) -> None:
    await bed.registered()
    bed.managers[ONE].beat_error = Unavailable("gone")

    await bed.session.pause()

    assert [] == bed.managers[ONE].pauses
