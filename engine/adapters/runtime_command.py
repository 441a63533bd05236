"""How an OCI runtime is called: its program, its arguments, where it keeps its state."""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path

from engine.core.errors import RuntimeFailed
from engine.settings import RuntimeBinary


@lru_cache(maxsize=64)
def program(path: str) -> str:
    """Return the absolute path of a program. Errors: RuntimeFailed when there is none."""
    found = shutil.which(path)
    if found is None:
        raise RuntimeFailed(f"{path}: executable file not found in $PATH", 128)
    return str(Path(found).absolute())


def name_of(runtime: RuntimeBinary) -> str:
    """Return the runtime's short name (runc)."""
    return Path(runtime.path).name


def state_root(exec_root: Path, runtime: RuntimeBinary) -> Path:
    """Return the directory that a runtime keeps all its containers' state in."""
    return exec_root / "runtime" / name_of(runtime)


def global_arguments(exec_root: Path, runtime: RuntimeBinary, log: Path | None) -> list[str]:
    """Return what comes before the runtime's command; `log` is where errors go, as JSON lines."""
    arguments = [*runtime.args, "--root", str(state_root(exec_root, runtime))]
    if log is not None:
        arguments += ["--log", str(log), "--log-format", "json"]
    return arguments
