"""Where the counters of a container are, by what the kernel says of its process."""

from __future__ import annotations

from pathlib import Path

from engine.adapters.stats_files import group_files

ID = "c" * 64
GROUPS = Path("/sys/fs/cgroup")


def test_each_hierarchy_of_version_1() -> None:
    """Controllers that share a hierarchy are found by either name."""
    text = f"5:cpu,cpuacct:/skep/{ID}\n4:memory:/skep/{ID}\n0::/other\n"

    files = group_files(text, ID)

    assert files["cpuacct.usage"] == GROUPS / "cpuacct/skep" / ID / "cpuacct.usage"
    assert files["cpu.stat"] == GROUPS / "cpu/skep" / ID / "cpu.stat"
    assert files["memory.stat"] == GROUPS / "memory/skep" / ID / "memory.stat"


def test_the_one_group_of_version_2_also_of_a_process_that_moved_below_it() -> None:
    """A systemd in a container goes to init.scope."""
    files = group_files(f"0::/system.slice/skep-{ID}.scope/init.scope\n", ID)

    group = GROUPS / f"system.slice/skep-{ID}.scope"
    assert files["memory.current"] == group / "memory.current"
