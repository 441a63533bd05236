"""How a manager is started: its command line, and what it reads at an init."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from api.errors import InvalidArgument
from api.types.nodes import NodeDescription
from api.types.swarm import SwarmInitRequest

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.%\w]+\]|[^:\[\]\s]+):([0-9]{1,5})")
_PORT_LIMIT = 65536


@dataclass(frozen=True, slots=True)
class Options:
    """Where a manager's state is, where it serves, and how it begins.

    join:    a manager of the cluster to become a member of; "" where the state has it all.
    """

    state_dir: Path
    socket: Path
    listen: str
    advertise: str
    init: bool = False
    join: str = ""
    force_new_cluster: bool = False
    log_level: str = "info"
    log_format: str = "text"


class InitOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What an init is given on standard input, as JSON.

    Backup:    path of a backup to begin with instead of an empty cluster, and its key.
    """

    Request: SwarmInitRequest = SwarmInitRequest()
    Description: NodeDescription = msgspec.field(default_factory=NodeDescription)
    Backup: str = ""
    BackupKey: str = ""


def parse(arguments: Sequence[str]) -> Options:
    """Return the options of a command line; ends the process on a wrong one, as argparse does."""
    parser = argparse.ArgumentParser(
        prog="manager", description="One manager of a cluster: state, API on a unix socket, gRPC."
    )
    parser.add_argument("--state-dir", type=Path, required=True, metavar="DIR")
    parser.add_argument("--socket", type=Path, required=True, metavar="PATH")
    parser.add_argument("--listen", type=_address, required=True, metavar="ADDR:PORT")
    parser.add_argument(
        "--advertise",
        type=_address,
        metavar="ADDR:PORT",
        help="where other nodes reach this manager (default: --listen)",
    )
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument("--init", action="store_true", help="begin a cluster; orders on stdin")
    begin.add_argument("--join", type=_address, metavar="HOST:PORT")
    begin.add_argument(
        "--force-new-cluster",
        action="store_true",
        help="go on as the only manager, with the state that is here",
    )
    parser.add_argument(
        "--log-level", choices=("debug", "info", "warn", "error", "fatal"), default="info"
    )
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    found = vars(parser.parse_args(arguments))
    found["join"] = found["join"] or ""
    found["advertise"] = found["advertise"] or found["listen"]
    return Options(**found)


def read_orders(raw: bytes) -> InitOrders:
    """Return the orders of an init; the defaults for b"". Errors: InvalidArgument."""
    try:
        return msgspec.json.decode(raw, type=InitOrders) if raw.strip() else InitOrders()
    except msgspec.MsgspecError as error:
        raise InvalidArgument(f"invalid orders for an init: {error}") from error


def _address(text: str) -> str:
    found = _ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found[2]) < _PORT_LIMIT:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return text
