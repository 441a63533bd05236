"""The event bus never waits for a listener."""

from __future__ import annotations

from engine.events.bus import EventBus
from tests.fakes.clock import FakeClock


def actions(bus: EventBus) -> list[str]:
    """Return the actions kept in the history."""
    return [each.Action for each in bus.past(None, None)]


async def test_listener_hears_what_comes_after_it() -> None:
    bus = EventBus(FakeClock())
    bus.publish("container", "create", "a", {})
    listener = bus.listen()

    bus.publish("container", "start", "a", {"name": "web"})
    bus.publish("container", "die", "a", {})

    assert ["start", "die"] == [each.Action for each in await listener.next()]


def test_times_increase_though_the_clock_stands_or_goes_back() -> None:
    """A client resumes with `since`: two events of one nanosecond would be told twice."""
    clock = FakeClock()
    bus = EventBus(clock)

    bus.publish("container", "create", "a", {})
    bus.publish("container", "start", "a", {})
    clock.advance(-5)
    bus.publish("container", "die", "a", {})

    times = [each.timeNano for each in bus.past(None, None)]
    assert sorted(set(times)) == times


def test_history_keeps_the_newest() -> None:
    bus = EventBus(FakeClock(), history=3)

    for turn in range(5):
        bus.publish("container", f"act{turn}", "a", {})

    assert ["act2", "act3", "act4"] == actions(bus)


async def test_listener_that_never_reads_is_dropped_and_others_go_on() -> None:
    """Attack: an event listener that never reads fills the daemon's memory."""
    bus = EventBus(FakeClock(), backlog=10)
    stuck, reader = bus.listen(), bus.listen()

    for turn in range(11):
        bus.publish("container", f"act{turn}", "a", {})
        await reader.next()

    assert stuck.dropped
    assert not reader.dropped
    assert 1 == bus.listener_count
    assert 10 == len(await stuck.next())
    assert [] == await stuck.next()


def test_event_is_a_copy_of_its_attributes() -> None:
    bus = EventBus(FakeClock())
    attributes = {"name": "web"}

    bus.publish("container", "start", "a", attributes)
    attributes["name"] = "changed"

    assert "web" == bus.past(None, None)[0].Actor.Attributes["name"]


def test_closed_listener_is_forgotten() -> None:
    bus = EventBus(FakeClock())
    listener = bus.listen()

    listener.close()
    listener.close()

    assert 0 == bus.listener_count
