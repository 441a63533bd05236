"""The set-up scripts parse, and tell what is missing where they cannot install it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PACKAGING = Path(__file__).parents[2] / "packaging"
SCRIPTS = sorted(PACKAGING.glob("*.sh"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_script_is_executable_and_parses(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)

    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text()


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """Return a directory for PATH with the shell's own tools, and none of what Skep needs."""
    for tool in ("bash", "id", "grep", "ldd", "cat", "env", "dirname"):
        found = next(
            Path(each) / tool for each in ("/usr/bin", "/bin") if (Path(each) / tool).exists()
        )
        (tmp_path / tool).symlink_to(found)
    return tmp_path


@pytest.mark.parametrize(("purpose", "code"), [("run", 1), ("test", 0)])
def test_missing_packages_are_named_where_there_is_no_apt(
    bare_path: Path, purpose: str, code: int
) -> None:
    """`make up` cannot go on without them; tests go on, and skip."""
    ran = subprocess.run(
        ["bash", str(PACKAGING / "system_packages.sh"), purpose],
        env={"PATH": str(bare_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )

    assert code == ran.returncode
    assert "runc conmon nftables" in ran.stderr
    assert ("docker-registry" in ran.stderr) == (purpose == "test")
