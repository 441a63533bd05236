"""The check of generated stubs: passes while fresh, fails with the file's name when not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCE = 'syntax = "proto3";\npackage skep.v1;\nmessage Beat { uint64 term = 1; }\n'


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a repository with one .proto and nothing generated."""
    (tmp_path / "packaging").mkdir()
    shutil.copy(REPOSITORY / "packaging/protos.sh", tmp_path / "packaging")
    folder = tmp_path / "protos/skep/v1"
    folder.mkdir(parents=True)
    (folder / "beat.proto").write_text(SOURCE)
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    return tmp_path


def protos(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    command = ["bash", str(tree / "packaging/protos.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_missing_stub_is_named(tree: Path) -> None:
    checked = protos(tree, "--check")

    assert 1 == checked.returncode
    assert "protos/skep/v1/beat_pb2.py is not fresh: run make protos" in checked.stderr


def test_generated_stubs_are_fresh_until_the_source_changes(tree: Path) -> None:
    assert 0 == protos(tree).returncode
    assert 0 == protos(tree, "--check").returncode

    source = tree / "protos/skep/v1/beat.proto"
    source.write_text(SOURCE.replace("term", "epoch"))

    assert 1 == protos(tree, "--check").returncode


def test_stub_without_source_is_named(tree: Path) -> None:
    assert 0 == protos(tree).returncode
    (tree / "protos/skep/v1/beat.proto").unlink()

    checked = protos(tree, "--check")

    assert 1 == checked.returncode
    assert "beat_pb2.py has no .proto any more" in checked.stderr


def test_no_protos_at_all_is_fine(tree: Path) -> None:
    (tree / "protos/skep/v1/beat.proto").unlink()

    assert 0 == protos(tree, "--check").returncode
