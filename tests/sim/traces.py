"""Reading scripts of commands with the outcome that each is to have.

Shape of one block: a line with the command and its arguments, lines of input, `----`, the
expected output up to an empty line. Lines that begin with # are comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_ARGUMENT = re.compile(r"([^\s=]+)(?:=(\([^)]*\)|\S*))?")
_LOG_LINE = re.compile(r"^\s*(DEBUG|INFO|WARN|ERROR|FATAL|PANIC) ")


@dataclass(frozen=True)
class Command:
    """One block. `names` are arguments without a value, `values` those with (lists split)."""

    line: int
    name: str
    names: tuple[str, ...]
    values: dict[str, tuple[str, ...]]
    text: str
    input: str
    expected: str = field(compare=False)

    def ids(self) -> tuple[int, ...]:
        """Return the arguments without a value as numbers."""
        return tuple(int(name) for name in self.names)

    def value(self, key: str, default: str) -> str:
        """Return the only value of an argument."""
        return self.values.get(key, (default,))[0]

    def numbers(self, key: str) -> tuple[int, ...]:
        """Return an argument's values as numbers, none if it is missing."""
        return tuple(int(value) for value in self.values.get(key, ()))

    def is_set(self, key: str, *, default: bool = False) -> bool:
        """Return an argument's value as a boolean."""
        return self.value(key, str(default)).lower() == "true"


def read_commands(path: Path) -> Iterator[Command]:
    """Yield the blocks of a script."""
    lines = path.read_text().splitlines()
    at = 0
    while at < len(lines):
        if not lines[at].strip() or lines[at].startswith("#"):
            at += 1
            continue
        start = at
        divider = lines.index("----", start)
        end = divider + 1
        while end < len(lines) and lines[end].strip():
            end += 1
        yield _command(start + 1, lines[start:divider], lines[divider + 1 : end])
        at = end


def comparable(output: str) -> list[str]:
    """Return the lines that are values: without log lines, and without "ok" for no output."""
    lines = [line.rstrip() for line in output.splitlines()]
    return [line for line in lines if line and line != "ok" and not _LOG_LINE.match(line)]


def rewrite(path: Path, outputs: list[str]) -> str:
    """Return a script's text with new outcomes, one for each block."""
    lines = path.read_text().splitlines()
    result: list[str] = []
    at = 0
    for command, output in zip(read_commands(path), outputs, strict=True):
        divider = lines.index("----", command.line - 1)
        result += [*lines[at : divider + 1], *output.splitlines()]
        at = divider + 1
        while at < len(lines) and lines[at].strip():
            at += 1
    return "\n".join(result + lines[at:]) + "\n"


def _command(line: int, head: list[str], expected: list[str]) -> Command:
    name, _, rest = head[0].partition(" ")
    names: list[str] = []
    values: dict[str, tuple[str, ...]] = {}
    for match in _ARGUMENT.finditer(rest):
        key, value = match.group(1), match.group(2)
        if value is None:
            names.append(key)
        else:
            inside = value.strip("()")
            values[key] = tuple(part.strip() for part in inside.split(",")) if inside else ()
    return Command(
        line=line,
        name=name,
        names=tuple(names),
        values=values,
        text=rest,
        input="\n".join(head[1:]),
        expected="\n".join(expected),
    )
