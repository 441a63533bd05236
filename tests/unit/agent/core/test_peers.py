"""Which manager a node asks next, and how long it waits before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.core.backoff import Backoff
from agent.core.peers import Peers

TWO = Peers().told([("a", "10.0.0.1:1"), ("b", "10.0.0.2:1")])


def test_nobody_is_chosen_of_nobody() -> None:
    assert Peers().choose(0.5) is None


def test_one_that_failed_is_chosen_seldom_and_one_that_answered_often() -> None:
    peers = TWO.observed("10.0.0.1:1", is_good=False).observed("10.0.0.2:1", is_good=True)

    chosen = [peers.choose(each / 100) for each in range(100)]

    assert chosen.count("10.0.0.2:1") > 80
    assert "10.0.0.1:1" in chosen, "it may be back, so it is tried now and then"


def test_those_that_were_tried_are_left_out_while_others_are_there() -> None:
    assert {"10.0.0.2:1"} == {TWO.choose(each / 10, ["10.0.0.1:1"]) for each in range(10)}
    assert TWO.choose(0.1, ["10.0.0.1:1", "10.0.0.2:1"]) is not None


def test_news_keep_standings_and_silence_is_no_news() -> None:
    """A node that forgot all managers could never find back."""
    peers = TWO.observed("10.0.0.1:1", is_good=True)

    assert peers == peers.told([])
    assert peers.known[0] in peers.told([("a", "10.0.0.1:1"), ("c", "10.0.0.3:1")]).known


@given(st.integers(0, 1000), st.floats(0, 1, exclude_max=True))
def test_waits_stay_within_their_bounds(failures: int, chance: float) -> None:
    wait_s = Backoff(0.1, 30.0, jitter=0.5).wait_s(failures, chance)

    assert 0.05 <= wait_s <= 30.0


def test_waits_double() -> None:
    backoff = Backoff(0.1, 1.0)

    assert [0.1, 0.2, 0.4, 0.8, 1.0, 1.0] == [backoff.wait_s(each, 0.0) for each in range(1, 7)]
