"""`skep manager`: a manager alone, as the daemon starts one on its node."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def pass_on(arguments: Sequence[str]) -> int:
    """Become the manager; its own command line says which flags there are."""
    os.execv(sys.executable, [sys.executable, "-m", "manager", *arguments])  # noqa: S606 - no shell
