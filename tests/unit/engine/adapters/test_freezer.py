"""Freezing by the files of the control groups: what is written, and what counts as done."""

from __future__ import annotations

from pathlib import Path

from engine.adapters.freezer import set_frozen


def test_version_1_has_a_word_for_each(tmp_path: Path) -> None:
    """The kernel answers with the word that is in force."""
    state = tmp_path / "freezer.state"
    state.write_text("THAWED")

    assert set_frozen({"freezer": str(tmp_path), "memory": "/nosuch"}, frozen=True)
    assert state.read_text() == "FROZEN"
    assert set_frozen({"freezer": str(tmp_path)}, frozen=False)
    assert state.read_text() == "THAWED"


def test_version_2_says_in_its_events_when_it_is_done(tmp_path: Path) -> None:
    """`cgroup.freeze` is the order, `cgroup.events` the answer."""
    (tmp_path / "cgroup.events").write_text("populated 1\nfrozen 1\n")

    assert set_frozen({"": str(tmp_path)}, frozen=True)
    assert (tmp_path / "cgroup.freeze").read_text() == "1"


def test_what_does_not_freeze_in_time_is_let_go(tmp_path: Path) -> None:
    """The caller asks the runtime then."""
    (tmp_path / "cgroup.events").write_text("populated 1\nfrozen 0\n")

    assert not set_frozen({"": str(tmp_path)}, frozen=True)
    assert (tmp_path / "cgroup.freeze").read_text() == "0"


def test_no_group_is_no_success() -> None:
    """A kernel without a freezer, or a group that is gone."""
    assert not set_frozen({}, frozen=True)
    assert not set_frozen({"freezer": "/nosuch"}, frozen=True)
