"""`skep daemon`: flags and file to a configuration, and then the daemon."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from agent.cli.daemon_flags import add_flags, flags_as_keys
from agent.config import DEFAULT_FILE, DaemonConfig, read_config
from api.errors import SkepError
from api.lasting_imports import lasting_imports


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the daemon's flags."""
    parser.add_argument(
        "--config-file",
        type=Path,
        default=DEFAULT_FILE,
        metavar="FILE",
        help=f"keys as in daemon.json; flags win over it (default {DEFAULT_FILE})",
    )
    parser.add_argument("--validate", action="store_true", help="check the configuration and end")
    add_flags(parser)


def run(parsed: argparse.Namespace) -> int:
    """Run the daemon to its end."""
    try:
        flags = flags_as_keys(parsed)
        config = read_config(parsed.config_file, flags)
        if parsed.validate:
            sys.stdout.write("configuration OK\n")
            return 0
        return _run_daemon(config, lambda: read_config(parsed.config_file, flags))
    except (SkepError, ValueError) as error:
        sys.stderr.write(f"skep daemon: {error}\n")
        return 1


def _run_daemon(config: DaemonConfig, read: Callable[[], DaemonConfig]) -> int:
    with lasting_imports():
        from agent import daemon  # noqa: PLC0415 - the engine is heavy; --validate does without
    daemon.run(config, read)
    return 0
