"""`python -m bench`: measure ours beside Debian's dockerd and print the ratios."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from bench.api import Connection
from bench.cases import MEMORY_CASES, READ_CASES, RUN_CASES, SLEEP, STREAM_CASES
from bench.file_cases import FileCases
from bench.image_cases import LoadCases
from bench.listing_cases import ListingCases
from bench.measure import Case, Result, measure, render
from bench.network_cases import NetworkCases
from bench.registry_cases import RegistryCases
from bench.servers import Reference, Server, Skep
from tests.root.images import busybox_archive


def main() -> int:
    """Start the daemons, run the cases, print the table; 1 when a target is missed."""
    options = _options()
    with ExitStack() as stack:
        servers = _start(stack, alone=options.alone)
        results = list(_run(_chosen(stack, options.only), servers, options.rounds))
    print("\n" + render(results))
    return int(any(result.meets() is False for result in results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", default="", help="run the cases whose name holds this text")
    parser.add_argument("--rounds", type=int, help="rounds of every case, instead of its own")
    parser.add_argument("--alone", action="store_true", help="measure ours only")
    return parser.parse_args()


def _start(stack: ExitStack, *, alone: bool) -> list[Server]:
    if os.geteuid() != 0:
        sys.exit("bench needs root")
    daemons: list[Skep | Reference] = [Skep()]
    if not alone and Reference.is_installed():
        daemons.append(Reference())
    servers = []
    for daemon in daemons:
        stack.callback(daemon.stop)
        servers.append(daemon.start())
    for server in servers:
        stack.callback(server.remove_containers)
        server.docker("load", stdin=busybox_archive())
    return servers


def _chosen(stack: ExitStack, only: str) -> Sequence[tuple[str, list[Case]]]:
    load, registry, networks = LoadCases(), RegistryCases(), NetworkCases()
    files = FileCases()
    stack.callback(load.close)
    stack.callback(registry.close)
    stack.callback(networks.close)
    stack.callback(files.close)
    groups = [
        ("memory", MEMORY_CASES),
        ("run", RUN_CASES),
        ("reads", [*READ_CASES, *ListingCases().cases()]),
        ("streams", STREAM_CASES),
        ("networks", networks.cases()),
        ("files", files.cases()),
        ("images", [*load.cases(), *registry.cases()]),
    ]
    return [
        (name, [case for case in cases if only in case.name or only == name])
        for name, cases in groups
    ]


def _run(
    groups: Sequence[tuple[str, list[Case]]], servers: Sequence[Server], rounds: int | None
) -> list[Result]:
    results: list[Result] = []
    for name, cases in groups:
        extra = _hundred(servers) if name == "reads" and cases else {}
        for case in cases:
            results.append(measure(case, servers, rounds))
            print(render(results[-1:]).splitlines()[-1], flush=True)
        for server in servers:
            if refs := extra.get(server.name):
                server.docker("rm", "-f", *refs)
    return results


def _hundred(servers: Sequence[Server]) -> dict[str, list[str]]:
    """Create a hundred containers on every server: listings are measured with them there."""
    made: dict[str, list[str]] = {}
    for server in servers:
        api = Connection(server.socket)
        made[server.name] = [
            api.call("POST", "/containers/create", SLEEP)["Id"] for _ in range(100)
        ]
        for ref in made[server.name]:
            api.call("POST", f"/containers/{ref}/start")
    return made


sys.exit(main())
