"""Processor time for the containers of a cluster before anything else on the machine."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.hosts import Cluster

_GROUPS = Path("/sys/fs/cgroup")
_MOST = {"cpu.shares": "262144", "cpu.weight": "10000"}  # version 1, version 2


def let_containers_go_first(hosts: Cluster) -> None:
    """Have the containers that these hosts have, and get, run as soon as they have work.

    Their common group counts as much as one process of others. On a busy machine servers in it do
    not come to accept what the kernel holds for them, nine connections for busybox's: it drops
    what comes then, and a test would take that for lost on the way.
    """
    group = f"skep-{hosts[0].name}"
    places = [_GROUPS / "cpu" / group, _GROUPS / group]
    files = [(place / name, most) for place in places for name, most in _MOST.items()]
    for file, most in files:
        if file.exists():
            file.write_text(most)
