"""Copy big trees in a process of their own, so that the engine's threads keep the interpreter.

Run as a program it copies between two directories that it inherits open:
`tree_copy_process.py <source fd> <target fd>`. It says `<errno> <words>` on its standard output
where it fails.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# What a thread has done before a process has started.
_FEW_ENTRIES = 500
_LIMIT_S = 3600.0


def is_big(source: int, limit: int = _FEW_ENTRIES) -> bool:
    """Tell whether an open directory holds more than so many entries, counting no further."""
    return _count(source, limit) > limit


def copy_in_process(source: int, target: int) -> None:
    """Copy as `tree_copy.copy_tree` does. Errors: OSError. Blocks: call it in a thread."""
    arguments = [sys.executable, "-I", "-S", __file__, str(source), str(target)]
    try:
        done = subprocess.run(
            arguments,
            pass_fds=(source, target),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError("copying took too long") from error
    if done.returncode != 0:
        number, _, words = done.stdout.decode(errors="replace").strip().partition(" ")
        if number.isdigit():
            raise OSError(int(number), words)
        raise OSError(f"the copying process ended with {done.returncode}")


def _count(directory: int, limit: int) -> int:
    found = 0
    with os.scandir(directory) as entries:
        for entry in entries:
            found += 1
            if stat.S_ISDIR(entry.stat(follow_symlinks=False).st_mode):
                below = os.open(entry.name, _DIRECTORY, dir_fd=directory)
                try:
                    found += _count(below, limit - found)
                finally:
                    os.close(below)
            if found > limit:
                break
    return found


def _main() -> int:
    # Alone, without the package on its path: what it needs lies beside it.
    sys.path.append(str(Path(__file__).parent))
    from tree_copy import copy_tree  # type: ignore[import-not-found]  # noqa: PLC0415

    try:
        copy_tree(int(sys.argv[1]), int(sys.argv[2]))
    except OSError as error:
        sys.stdout.write(f"{error.errno or 0} {error.strerror or error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
