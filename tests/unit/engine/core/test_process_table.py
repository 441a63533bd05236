"""Rows of `ps` that belong to a container."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import Internal, InvalidArgument, SkepError
from engine.core.process_table import check_ps_arguments, select_processes

LISTING = """UID   PID  PPID CMD
root    1     0 /sbin/init  --x
app    77     1 sleep 10
-       -     - thread
app    78     1 other
"""


def test_only_the_containers_rows_are_kept() -> None:
    """The command column keeps its spaces."""
    table = select_processes(LISTING, {1})

    assert table.titles == ["UID", "PID", "PPID", "CMD"]
    assert table.rows == [["root", "1", "0", "/sbin/init  --x"]]


def test_threads_follow_their_process() -> None:
    """`ps -m` prints them below, without a PID."""
    assert [row[-1] for row in select_processes(LISTING, {77}).rows] == ["sleep 10", "thread"]


def test_listing_without_pid_column_is_an_error() -> None:
    """`ps_args=-o comm` cannot be filtered; Docker's words."""
    with pytest.raises(Internal, match="Couldn't find PID field in ps output"):
        select_processes("COMMAND\nsh\n", {1})


@pytest.mark.parametrize("argument", ["-opid=PPID", "pid=X", "user,pid=foo", "-o pid=a"])
def test_renaming_the_pid_column_is_refused(argument: str) -> None:
    """Otherwise another column could pose as PID and show foreign processes."""
    with pytest.raises(InvalidArgument, match="not allowed"):
        check_ps_arguments([argument])


def test_usual_arguments_pass() -> None:
    """What people type."""
    check_ps_arguments(["aux", "-eo", "pid,ppid,comm=NAME", "-opid=PID"])


@given(st.text(), st.sets(st.integers(0, 100)))
def test_any_text_gives_rows_or_an_error(listing: str, pids: set[int]) -> None:
    """`ps` prints what processes call themselves."""
    try:
        table = select_processes("PID CMD\n" + listing, pids)
    except SkepError:
        return

    assert all(len(row) <= 2 for row in table.rows)
