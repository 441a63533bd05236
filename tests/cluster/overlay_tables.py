"""The kernels' tables of an overlay network beside what the engines say of their containers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cluster.host import Host
from tests.cluster.hosts import Cluster
from tests.cluster.lan import run
from tests.root.node import wait_until


def until_right(hosts: Cluster, network_id: str, timeout_s: float = 30) -> None:
    """Wait until every kernel has an entry for each container elsewhere, and no other."""
    try:
        wait_until(lambda: not wrong(hosts, network_id), "the tables to be right", timeout_s)
    except AssertionError as error:
        raise AssertionError(wrong(hosts, network_id)) from error


def wrong(hosts: Cluster, network_id: str) -> dict[str, object]:
    """Return by host what its kernel has and should have, where that is not the same."""
    places = members(hosts, network_id)
    found: dict[str, object] = {}
    for host in hosts:
        others = {
            address: hosts[number].address
            for address, number in places.items()
            if number != host.number
        }
        should = others if host.number in places.values() else None
        has = entries(host, network_id)
        if has != should:
            found[host.hostname] = {"has": has, "should": should}
    return found


def members(hosts: Cluster, network_id: str) -> dict[str, int]:
    """Return the number of the host by address of the containers that run on a network."""
    found: dict[str, int] = {}
    for host in hosts:
        ids = host.docker("ps", "-q", "--no-trunc").stdout.split()
        shown = json.loads(host.docker("inspect", *ids).stdout) if ids else []
        for endpoint in (each for box in shown for each in _endpoints(box)):
            if endpoint["NetworkID"] == network_id:
                own = endpoint["IPAddress"], endpoint["GlobalIPv6Address"]
                found |= dict.fromkeys((each for each in own if each), host.number)
    return found


def entries(host: Host, network_id: str) -> dict[str, str] | None:
    """Return the node by address that the kernel sends to; None where there is no network."""
    space = host.root / "exec" / "overlay" / network_id
    if not space.exists():
        return None
    nodes = {each["mac"]: each["dst"] for each in _listed(space, "bridge", "fdb") if "dst" in each}
    neighbours = {each["dst"]: each["lladdr"] for each in _listed(space, "ip", "neigh")}
    found = {address: nodes.get(mac, "nowhere") for address, mac in neighbours.items()}
    strays = nodes.keys() - neighbours.values()
    return found | {f"no address is of {mac}": nodes[mac] for mac in strays}


def _endpoints(box: dict[str, Any]) -> list[dict[str, Any]]:
    return list(box["NetworkSettings"]["Networks"].values())


def _listed(space: Path, command: str, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        run("nsenter", f"--net={space}", command, "-j", *words)
    )
    return found
