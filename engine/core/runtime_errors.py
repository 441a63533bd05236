"""What a failure of the OCI runtime means to a client: words and exit code."""

from __future__ import annotations

import msgspec

_NOT_FOUND = ("executable file not found", "no such file or directory")
_NOT_EXECUTABLE = ("permission denied", "is a directory")


class _LogLine(msgspec.Struct):
    level: str = ""
    msg: str = ""


def last_error(log: bytes, stderr: str) -> str:
    """Return the runtime's own words: the last error of its JSON log, else what it printed."""
    for line in reversed(log.splitlines()):
        try:
            entry = msgspec.json.decode(line, type=_LogLine)
        except msgspec.MsgspecError:
            continue
        if entry.level in {"error", "fatal"} and entry.msg:
            return entry.msg
    return stderr.strip().removeprefix("time=") or "the runtime failed without a word"


def exit_code_of(words: str) -> int:
    """Return 127 for a command that does not exist, 126 for one not executable, else 128."""
    lowered = words.lower()
    if any(text in lowered for text in _NOT_FOUND):
        return 127
    if any(text in lowered for text in _NOT_EXECUTABLE):
        return 126
    return 128


def create_failure(words: str, runtime: str) -> str:
    """Return what a client reads when a container could not be created."""
    return (
        "failed to create task for container: failed to create shim task: "
        f"OCI runtime create failed: {_attributed(words, runtime, 'create')}: unknown"
    )


def exec_failure(words: str, runtime: str) -> str:
    """Return what a client reads when a process could not be executed in a container."""
    words = words.removeprefix("exec failed: ").removeprefix(f"{runtime} exec failed: ")
    return f"OCI runtime exec failed: exec failed: {words}: unknown"


def _attributed(words: str, runtime: str, verb: str) -> str:
    prefix = f"{runtime} {verb} failed: "
    return words if words.startswith(prefix) else prefix + words
