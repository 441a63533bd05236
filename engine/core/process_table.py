"""The rows of `ps` that belong to a container."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from api.errors import Internal, InvalidArgument

PLAIN_TITLES = ("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD")


class ProcessTable(Struct, frozen=True):
    """Column titles, and a row of as many cells per process."""

    titles: list[str]
    rows: list[list[str]]


def check_ps_arguments(arguments: list[str]) -> None:
    """Refuse arguments that rename the PID column: the rows could not be told apart then.

    Errors:  InvalidArgument.
    Source:  Docker's check of `ps_args` (`pid=` renames a column).
    """
    for argument in arguments:
        for column in argument.replace(" ", ",").split(","):
            name, renamed, title = column.partition("=")
            if renamed and name.lower().lstrip("-o") == "pid" and title != "PID":
                raise InvalidArgument(f'specifying "{argument}" is not allowed')


def select_processes(listing: str, pids: Collection[int]) -> ProcessTable:
    """Return the rows whose PID is among `pids`; a last column keeps its spaces.

    Rows without a PID (`ps` shows threads as "-") follow the process above them.
    Errors:  Internal when the listing has no PID column.
    """
    # a line ends at a newline alone: arguments may hold what `splitlines` takes for an end
    header, *lines = listing.split("\n")
    titles = header.split()
    if "PID" not in titles:
        raise Internal("Couldn't find PID field in ps output")
    column = titles.index("PID")
    rows: list[list[str]] = []
    kept_above = False
    for line in lines:
        cells = line.split(None, len(titles) - 1)
        if len(cells) <= column:
            continue
        if cells[column] != "-":
            if not cells[column].isdecimal():
                raise Internal(f"Unexpected pid '{cells[column]}'")
            kept_above = int(cells[column]) in pids
        if kept_above:
            rows.append(cells)
    return ProcessTable(titles, rows)
