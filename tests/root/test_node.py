"""What a test leaves when it fails at a bad moment is taken away all the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.root.conftest import new_node
from tests.root.images import busybox_archive


def test_a_daemon_that_was_killed_is_taken_away_with_all_that_it_made() -> None:
    """Its containers, their groups and the bridges of its networks would outlive it."""
    node = new_node()
    try:
        node.start()
        node.docker("load", stdin=busybox_archive())
        network = node.docker("network", "create", "late").stdout.strip()
        ran = node.docker("run", "-d", "--network", "late", "busybox", "sleep", "1000")
        ref = ran.stdout.strip()
        pid = node.docker("inspect", "-f", "{{.State.Pid}}", ref).stdout.strip()
        node.kill()
    finally:
        node.destroy()

    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True)
    assert f"br-{network[:12]}" not in links.stdout
    assert not Path("/proc", pid).exists()
    assert [] == list(Path("/sys/fs/cgroup").glob(f"*/skep/{ref}"))
    assert [] == node.mounts()
    assert not node.root.exists()
