"""Kernel settings under /proc/sys, of the network namespace of the calling thread."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path("/proc/sys")


def write_sysctl(name: str, value: str) -> bool:
    """Set a value by its path under /proc/sys; False when this kernel has no such setting.

    What holds the value already is not written, for a read-only /proc/sys may be right as it is.
    Errors:  OSError.
    """
    path = _ROOT / name
    try:
        if path.read_text().strip() != value:
            path.write_text(value)
    except FileNotFoundError:
        return False
    return True


def read_sysctl(name: str) -> str:
    """Return a value, "" when this kernel has no such setting."""
    try:
        return (_ROOT / name).read_text().strip()
    except FileNotFoundError:
        return ""
