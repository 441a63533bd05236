"""What the docker command of this machine knows: Debian 12's is of 2020, and has no newer flags."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

import pytest


def needs_docker_command(major: int) -> pytest.MarkDecorator:
    """Skip where the docker command is older than this version."""
    reason = f"needs a docker command of version {major} or newer"
    return pytest.mark.skipif(0 < _version() < major, reason=reason)


@cache
def _version() -> int:
    """Return the command's major version, 0 where there is none."""
    if shutil.which("docker") is None:
        return 0
    shown = subprocess.run(
        ["docker", "--version"], capture_output=True, text=True, check=True
    ).stdout
    return int(shown.removeprefix("Docker version ").partition(".")[0])
