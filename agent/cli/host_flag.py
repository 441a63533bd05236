"""The flag --host of commands that ask a daemon, or a manager, on this machine."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from agent.config import DEFAULT_HOST
from api.errors import InvalidArgument


def add_host_flag(parser: argparse.ArgumentParser, whose: str) -> None:
    """Add the flag; `whose` socket it is, for the help."""
    parser.add_argument(
        "-H",
        "--host",
        default=os.environ.get("DOCKER_HOST", DEFAULT_HOST),
        metavar="ADDRESS",
        help=f"{whose} socket (default: $DOCKER_HOST, or {DEFAULT_HOST})",
    )


def socket_of(host: str) -> Path:
    """Return the socket of an address `unix://...`. Errors: InvalidArgument for another one."""
    if not host.startswith("unix://"):
        raise InvalidArgument(f"{host} is no unix:// address: run this on the daemon's own machine")
    return Path(host.removeprefix("unix://"))
