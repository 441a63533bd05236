"""What a leader knows of one member."""

from __future__ import annotations

import pytest

from manager.core.raft.progress import Inflights, Progress
from manager.core.raft.status import ProgressKind


def _progress(match: int = 0, next_index: int = 5, window: int = 2) -> Progress:
    progress = Progress(
        next_index=next_index, inflights=Inflights(window, 0), is_learner=False, is_active=True
    )
    progress.match = match
    return progress


def test_probing_sends_one_append_at_a_time() -> None:
    """Where the log of a member is unknown, more would be wasted."""
    progress = _progress()

    progress.note_append(3, 30)

    assert progress.is_paused()
    assert progress.next == 5


def test_replicating_counts_on_success_until_the_window_is_full() -> None:
    """Pipelining: the next append does not wait for the answer to the last."""
    progress = _progress(match=4)
    progress.become_replicate()

    progress.note_append(2, 20)
    is_paused_by_one = progress.is_paused()
    progress.note_append(1, 10)

    assert not is_paused_by_one
    assert progress.is_paused()
    assert (8, 2) == (progress.next, progress.status().inflight)


def test_window_frees_what_is_acknowledged() -> None:
    """An acknowledgement of an index stands for all appends up to it."""
    inflights = Inflights(3, 0)
    for last in (5, 7, 9):
        inflights.add(last, 1)

    inflights.free_to(8)

    assert 1 == len(inflights)
    assert not inflights.is_full()


def test_window_in_bytes_lets_one_pass_the_limit_and_no_more() -> None:
    """A single append larger than the window must get through somehow."""
    inflights = Inflights(100, 50)

    inflights.add(1, 80)

    assert inflights.is_full()
    with pytest.raises(AssertionError):
        inflights.add(2, 1)


def test_window_empties_with_its_bytes() -> None:
    """Bytes of what was acknowledged count no more."""
    inflights = Inflights(100, 50)
    inflights.add(1, 50)

    inflights.free_to(1)
    is_full_after_freeing = inflights.is_full()
    inflights.add(2, 50)
    inflights.clear()

    assert not is_full_after_freeing
    assert not inflights.is_full()


@pytest.mark.parametrize(
    ("rejected", "hint", "is_news", "next_index"),
    [(4, 2, True, 3), (4, 9, True, 4), (3, 1, False, 5), (4, 0, True, 2)],
)
def test_probe_backs_off_to_the_hint(
    rejected: int, hint: int, is_news: bool, next_index: int
) -> None:
    """Never below what matched, never past what was rejected; old answers change nothing."""
    progress = _progress(match=1)

    assert is_news == progress.back_off(rejected, hint)
    assert next_index == progress.next


def test_stale_rejection_leaves_replication_alone() -> None:
    """An append that arrived late is rejected after newer ones were acknowledged."""
    progress = _progress(match=6)
    progress.become_replicate()

    assert not progress.back_off(5, 3)
    assert progress.back_off(7, 3)
    assert 7 == progress.next


def test_commit_index_is_told_once() -> None:
    """It is repeated only if the append that told it may not have been taken."""
    progress = _progress(match=4)
    progress.become_replicate()
    progress.note_append(3, 30)

    is_new_before = progress.may_learn_commit(6)
    progress.note_commit(6)
    is_new_after = progress.may_learn_commit(6)
    progress.back_off(7, 4)

    assert (True, False) == (is_new_before, is_new_after)
    assert not progress.may_learn_commit(6)
    progress.update(6)
    assert progress.may_learn_commit(6)


def test_commit_index_past_what_was_sent_is_no_news() -> None:
    """A member commits nothing that it does not have."""
    progress = _progress(match=4)
    progress.become_replicate()
    progress.note_commit(4)

    assert not progress.may_learn_commit(9)


def test_after_a_snapshot_probing_goes_on_behind_it() -> None:
    """The snapshot counts as taken if it was sent, and as nothing if it was not."""
    sent, failed = _progress(match=1), _progress(match=1)
    for progress in (sent, failed):
        progress.become_snapshot(8)
        assert progress.is_paused()
    failed.pending_snapshot = 0

    sent.become_probe()
    failed.become_probe()

    assert (9, 2) == (sent.next, failed.next)
    assert ProgressKind.PROBE is sent.kind


def test_commit_index_is_told_again_when_probing_starts_over() -> None:
    """The append that told it may be lost with those before it."""
    progress = _progress(match=4)
    progress.become_replicate()
    progress.note_append(3, 30)
    progress.note_commit(7)

    progress.become_probe()
    progress.update(7)

    assert progress.may_learn_commit(7)
