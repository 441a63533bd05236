"""Freeze and thaw a control group, as the runtime does it, without a process of the runtime.

The runtime asks the kernel whether a container is paused and keeps no note of its own, so both may
be mixed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

_PATIENCE_S = 1.0
_STEP_S = 0.001


def set_frozen(groups: Mapping[str, str], *, frozen: bool) -> bool:
    """Freeze or thaw, and return when it is so; False when the kernel does not comply.

    `groups` are directories by controller, "" of the one group of version 2. Blocks for a second
    at most. What could not be frozen is left thawed.
    """
    if directory := groups.get("freezer"):
        return _old(Path(directory), frozen=frozen)
    if directory := groups.get(""):
        return _new(Path(directory), frozen=frozen)
    return False


def _old(group: Path, *, frozen: bool) -> bool:
    word = "FROZEN" if frozen else "THAWED"
    state = group / "freezer.state"
    deadline = time.monotonic() + _PATIENCE_S
    try:
        while True:
            # A process that was just born can escape the first order: it is given again.
            state.write_text(word)
            if state.read_text().strip() == word:
                return True
            if time.monotonic() > deadline:
                break
            time.sleep(_STEP_S)
        if frozen:
            state.write_text("THAWED")
    except OSError:
        return False
    return False


def _new(group: Path, *, frozen: bool) -> bool:
    wanted = f"frozen {int(frozen)}"
    deadline = time.monotonic() + _PATIENCE_S
    try:
        (group / "cgroup.freeze").write_text(str(int(frozen)))
        while wanted not in (group / "cgroup.events").read_text().splitlines():
            if time.monotonic() > deadline:
                (group / "cgroup.freeze").write_text("0")
                return False
            time.sleep(_STEP_S)
    except OSError:
        return False
    return True
