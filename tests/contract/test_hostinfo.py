"""Facts of the machine that runs the tests."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from engine.adapters.hostinfo import HostInfo
from engine.settings import LiveSettings, RuntimeBinary, Settings


def host(data_root: Path, **runtimes: RuntimeBinary) -> HostInfo:
    """Return a host with settings of a test."""
    chosen = runtimes or {"runc": RuntimeBinary("runc")}
    return HostInfo(
        LiveSettings(
            Settings(data_root=data_root, runtimes=chosen, default_runtime=next(iter(chosen)))
        )
    )


async def test_facts_are_the_kernels(tmp_path: Path) -> None:
    machine = await host(tmp_path).machine()

    assert (os.uname().release, os.uname().machine) == (machine.kernel, machine.architecture)
    assert machine.cpus == len(os.sched_getaffinity(0))
    assert machine.memory_bytes > 1 << 28
    assert machine.cgroup_version in {1, 2}
    assert "<unknown>" != machine.backing_filesystem
    assert machine.operating_system


async def test_identity_is_drawn_once_and_kept(tmp_path: Path) -> None:
    first = (await host(tmp_path).machine()).engine_id
    second = (await host(tmp_path).machine()).engine_id

    assert first == second
    assert 36 == len(first)
    assert 0o600 == stat.S_IMODE(os.lstat(tmp_path / "engine-id").st_mode)


async def test_other_data_root_is_another_engine(tmp_path: Path) -> None:
    first = await host(tmp_path / "a").machine()
    second = await host(tmp_path / "b").machine()

    assert first.engine_id != second.engine_id


async def test_missing_runtime_has_no_version(tmp_path: Path) -> None:
    machine = await host(tmp_path, none=RuntimeBinary("/nonexistent/runc")).machine()

    assert ("", "") == (machine.runtime.version, machine.runtime.commit)


async def test_program_that_prints_nothing_useful_has_no_version(tmp_path: Path) -> None:
    machine = await host(tmp_path, python=RuntimeBinary(sys.executable)).machine()

    assert "" == machine.runtime.version
