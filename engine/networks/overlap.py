"""Networks of one container must not share addresses: it could not tell where one of them is.

The engine gives none of its networks a subnet of another. But those of the cluster are chosen by
managers, who do not know what a node has beside them.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from api.addresses import overlaps
from api.errors import Forbidden
from engine.networks.record import NetworkRecord


class SubnetsMeet(Forbidden):
    """Two networks of a container have addresses in common."""

    def __init__(self, network: str, subnet: str, other: str, other_subnet: str) -> None:
        super().__init__(
            f"cannot program an address of {subnet} (network {network}) in sandbox interface "
            f"because it conflicts with existing route {other_subnet} (network {other})"
        )


def check_apart(networks: Iterable[NetworkRecord]) -> None:
    """Refuse networks of one container whose subnets overlap. Errors: SubnetsMeet."""
    for other, network in combinations(networks, 2):
        if other.overlay is None and network.overlay is None:
            continue
        for subnet in network.subnets:
            for present in other.subnets:
                if overlaps(subnet.subnet, [present.subnet]):
                    raise SubnetsMeet(network.name, subnet.subnet, other.name, present.subnet)
