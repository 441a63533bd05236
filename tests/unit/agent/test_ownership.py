"""One daemon per data root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.ownership import DataRoot, Inner, InUse, PidFile, Unreachable


def test_second_daemon_is_refused_naming_holder_and_root(tmp_path: Path) -> None:
    data_root = tmp_path / "data"

    with (
        DataRoot(data_root, tmp_path / "exec"),
        pytest.raises(InUse, match=rf"process {os.getpid()}\) uses the data root {data_root}"),
    ):
        DataRoot(data_root, tmp_path / "exec2").__enter__()


def test_data_root_is_free_again_after_its_daemon(tmp_path: Path) -> None:
    for _ in range(2):
        with DataRoot(tmp_path / "data", tmp_path / "exec"):
            pass


def test_strangers_cannot_walk_the_data_root(tmp_path: Path) -> None:
    """Set-uid programs in layers must stay out of reach (CVE-2021-41091)."""
    with DataRoot(tmp_path / "data", tmp_path / "exec"):
        mode = (tmp_path / "data").stat().st_mode

    assert 0 == mode & 0o007


def test_pid_file_lives_as_long_as_the_daemon(tmp_path: Path) -> None:
    path = tmp_path / "run" / "skep.pid"

    with PidFile(path):
        assert f"{os.getpid()}\n" == path.read_text()

    assert not path.exists()


@pytest.mark.parametrize("content", ["", "nonsense", "1\n", "4194305\n"])
def test_stale_pid_file_is_overwritten(tmp_path: Path, content: str) -> None:
    path = tmp_path / "skep.pid"
    path.write_text(content)

    with PidFile(path):
        assert f"{os.getpid()}\n" == path.read_text()


def test_another_data_root_is_refused_while_containers_run(tmp_path: Path) -> None:
    """Its daemon would take the running containers for leftovers, and end them."""
    exec_root = tmp_path / "exec"
    with DataRoot(tmp_path / "data", exec_root):
        (exec_root / "containers" / "abc").mkdir(parents=True)

    with pytest.raises(InUse, match="start the daemon as before"):
        DataRoot(tmp_path / "other", exec_root).__enter__()
    with DataRoot(tmp_path / "data", exec_root):
        pass


def test_remapped_root_must_be_able_to_walk_to_its_data(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    inner = Inner(tmp_path / "data" / "7.7", 4_000_007, os.getegid())

    with pytest.raises(Unreachable, match=r"allowing 'o\+x' permissions"):
        DataRoot(tmp_path / "data", tmp_path / "exec", inner).__enter__()
