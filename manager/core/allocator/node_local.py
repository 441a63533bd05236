"""Networks that every node has by itself: tasks on them need nothing from the managers.

The store holds none of them; their names are their ids.
"""

from __future__ import annotations

from collections.abc import Mapping

from api.types.cluster_networks import NetworkSpec
from api.types.objects import Driver
from manager.core.objects.network import Network

PREDEFINED_LABEL = "com.docker.swarm.predefined"
"""Tells agents that the network of this name is the node's own."""


def _network(name: str, driver: str) -> Network:
    return Network(
        id=name,
        spec=NetworkSpec(
            Name=name,
            Labels={PREDEFINED_LABEL: "true"},
            DriverConfiguration=Driver(Name=driver),
            Scope="local",
        ),
        driver_state=Driver(Name=driver),
    )


NODE_LOCAL: Mapping[str, Network] = {
    "bridge": _network("bridge", "bridge"),
    "host": _network("host", "host"),
    "none": _network("none", "null"),
}
