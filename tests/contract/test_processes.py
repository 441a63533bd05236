"""Process lists of the real host."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.errors import InvalidArgument
from engine.adapters import processes
from engine.adapters.processes import HostProcesses
from engine.core.process_table import PLAIN_TITLES, select_processes
from tests.root.node import wait_until


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """Give a process of ours."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


async def test_members_hold_a_process_and_its_child(child: subprocess.Popen[bytes]) -> None:
    """A child stays in its parent's control group."""
    members = await HostProcesses().members(os.getpid())

    assert {os.getpid(), child.pid} <= members


async def test_a_process_that_is_gone_has_no_members(child: subprocess.Popen[bytes]) -> None:
    """The container ended a moment ago."""
    child.kill()
    child.wait()

    assert await HostProcesses().members(child.pid) == frozenset()


@pytest.mark.skipif(shutil.which("ps") is None, reason="needs ps")
async def test_listing_is_what_ps_prints() -> None:
    """With the columns asked for."""
    listing = await HostProcesses().listing(["-eo", "pid,ppid"])

    table = select_processes(listing, {os.getpid()})
    assert table.rows == [[str(os.getpid()), str(os.getppid())]]


@pytest.mark.skipif(shutil.which("ps") is None, reason="needs ps")
async def test_arguments_that_ps_refuses_are_the_callers_fault() -> None:
    """400 with the words of `ps`."""
    with pytest.raises(InvalidArgument, match="ps: "):
        await HostProcesses().listing(["--nosuch"])


async def test_without_ps_the_default_columns_are_read_from_proc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A minimal host has no procps."""

    async def missing(_: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(processes, "_run_ps", missing)

    table = select_processes(await HostProcesses().listing(["-ef"]), {os.getpid()})

    assert table.titles == list(PLAIN_TITLES)
    assert [row[1] for row in table.rows] == [str(os.getpid())]
    with pytest.raises(InvalidArgument, match="has no ps"):
        await HostProcesses().listing(["aux"])


@pytest.fixture
def wordy_child() -> Iterator[subprocess.Popen[bytes]]:
    """Give a process whose arguments hold all that may be taken for the end of a line."""
    script = "import sys\n\n'''\x1c\u2028'''\nsys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as process:
        shown = Path(f"/proc/{process.pid}/cmdline")
        wait_until(lambda: b"sys.stdin" in shown.read_bytes(), "the arguments to be there")
        yield process
        process.kill()


async def test_a_command_line_of_several_lines_stays_one_row(
    wordy_child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether `ps` lists the processes or we do."""

    async def missing(_: object) -> str:
        raise FileNotFoundError

    listings = [await HostProcesses().listing(["-ef"])]
    monkeypatch.setattr(processes, "_run_ps", missing)
    listings.append(await HostProcesses().listing(["-ef"]))

    for listing in listings:
        (row,) = select_processes(listing, {wordy_child.pid}).rows
        assert row[-1].startswith(f"{sys.executable} -c import sys")
        assert row[-1].endswith("sys.stdin.read()")
