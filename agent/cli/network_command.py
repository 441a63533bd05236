"""`skep network`: what is wrong with a node's overlay networks."""

from __future__ import annotations

import argparse
import json
import sys

from agent.cli.host_flag import add_host_flag, socket_of
from agent.cli.unix_http import ask
from api.errors import SkepError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    doctor = verbs.add_parser(
        "doctor",
        help="compare this node's tunnels, tables, balanced addresses and names with what the "
        "managers told",
    )
    add_host_flag(doctor, "the daemon's")


def run(parsed: argparse.Namespace) -> int:
    """Print every difference, a line each; return 0 when there is none."""
    try:
        with ask(socket_of(parsed.host), "GET", "/skep/networks/differences") as answer:
            differences: list[str] = json.loads(answer.read())
    except SkepError as error:
        sys.stderr.write(f"skep network doctor: {error.message}\n")
        return 1
    for line in differences:
        sys.stdout.write(f"{line}\n")
    if not differences:
        sys.stdout.write("The networks are as the managers say.\n")
    return 1 if differences else 0
