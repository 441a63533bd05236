"""Which streams are taken for stuck: a drained task's connection must never be."""

from __future__ import annotations

from engine.core.stuck_flows import Suspects


def test_a_beginning_without_an_answer_is_stuck_at_the_second_look() -> None:
    suspects = Suspects()

    looks = [
        suspects.is_stuck(b"a", is_answered=False, unheard_s=None, now_s=at) for at in (5.0, 6.0)
    ]

    assert [False, True] == looks


def test_a_beginning_that_is_answered_meanwhile_is_not_suspected_any_more() -> None:
    suspects = Suspects()

    suspects.is_stuck(b"a", is_answered=False, unheard_s=None, now_s=5.0)
    assert suspects
    assert not suspects.is_stuck(b"a", is_answered=True, unheard_s=None, now_s=6.0)

    assert not suspects


def test_data_is_under_way_until_there_was_silence_after_it() -> None:
    """However long it goes on: what is sent again after less than that may be heard."""
    suspects = Suspects()

    looks = [
        suspects.is_stuck(b"a", is_answered=True, unheard_s=unheard, now_s=at)
        for at, unheard in ((1.0, 0), (2.0, 2), (9.0, 1), (12.0, 3))
    ]

    assert [False, False, False, True] == looks


def test_what_ended_unseen_is_suspected_for_a_minute() -> None:
    suspects = Suspects()
    suspects.is_stuck(b"a", is_answered=True, unheard_s=1, now_s=5.0)

    suspects.forget_old(64.0)
    assert suspects
    suspects.forget_old(65.0)

    assert not suspects
