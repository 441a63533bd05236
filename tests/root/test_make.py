"""`make up` and `make down` as a newcomer types them, on names of the test's own."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Place:
    """Where a node of this test lives; `run` calls a script of packaging/."""

    root: Path
    name: str

    def run(self, script: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a script with the settings of this place."""
        flags = (
            f"--config-file {self.root}/none.json --data-root {self.root}/data "
            f"--exec-root {self.root}/run --bridge {self.name} --firewall-table {self.name}"
        )
        settings = {
            "SKEP_SOCKET": f"{self.root}/skep.sock",
            "SKEP_FLAGS": flags,
            "SKEP_DATA_ROOT": f"{self.root}/data",
            "SKEP_EXEC_ROOT": f"{self.root}/run",
            "SKEP_BRIDGE": self.name,
            "SKEP_TABLE": self.name,
            "SKEP_STATE": f"{self.root}/state",
        }
        return subprocess.run(
            [str(REPOSITORY / "packaging" / script)],
            env={**os.environ, **settings, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Return a place without a node; what a failed test leaves is taken down."""
    chosen = Place(tmp_path, f"mk{secrets.token_hex(3)}")
    (tmp_path / "none.json").write_text("{}")
    yield chosen
    chosen.run("down.sh", PURGE="1")


def test_up_demonstrates_and_down_leaves_nothing(place: Place) -> None:
    up = place.run("up.sh")

    assert 0 == up.returncode, up.stdout + up.stderr
    assert "Hello from container" in up.stdout
    assert f"docker context create skep --docker host=unix://{place.root}/skep.sock" in up.stdout

    again = place.run("up.sh")
    down = place.run("down.sh", PURGE="1")

    assert "answers" in again.stdout
    assert 0 == down.returncode, down.stdout + down.stderr
    assert ["none.json", "state"] == sorted(each.name for each in place.root.iterdir())
    assert str(place.root) not in Path("/proc/self/mountinfo").read_text()
    assert not Path("/sys/class/net", place.name).exists()
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True)
    assert place.name not in tables.stdout.split()


def test_down_without_a_node_is_fine(place: Place) -> None:
    assert 0 == place.run("down.sh").returncode


def test_daemon_that_cannot_start_says_why(place: Place) -> None:
    up = place.run("up.sh", SKEP_FLAGS="--no-such-flag")

    assert 1 == up.returncode
    assert "no-such-flag" in up.stderr
