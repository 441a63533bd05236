"""The `skep` command: its sub-commands, their flags, exit codes."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

_COMMANDS = {
    "daemon": ("agent.cli.daemon_command", "run a node: the engine and its API"),
    "cluster": ("agent.cli.cluster_command", "look at the managers, back their state up"),
    "network": ("agent.cli.network_command", "find what is wrong with overlay networks"),
    "version": ("agent.cli.version_command", "say which version this is"),
}
# Programs of their own, with command lines of their own.
_PASSED_ON = {"manager": ("agent.cli.manager_command", "run a manager alone, without an engine")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code: 0 done, 1 failed, 2 misused.

    Each sub-command is a module with `add_arguments(parser)` and `run(parsed) -> int`, imported
    when it is asked for, so that help comes at once.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="skep", description="A container engine that speaks the Docker Engine API."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    asked = words[0] if words else ""
    for name, (module, summary) in _PASSED_ON.items():
        commands.add_parser(name, help=summary, add_help=False)
        if name == asked:
            passed_on: int = importlib.import_module(module).pass_on(words[1:])
            return passed_on
    for name, (module, summary) in _COMMANDS.items():
        sub = commands.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        if name == asked:
            importlib.import_module(module).add_arguments(sub)
    parsed = parser.parse_args(words)
    done: int = importlib.import_module(_COMMANDS[parsed.command][0]).run(parsed)
    return done
