"""The networks that a container asks for, under the networks' own names."""

from __future__ import annotations

from collections.abc import Mapping

from api.types.networks import EndpointSettings
from engine.containers.env import ContainersEnv


def by_name(
    env: ContainersEnv, mode: str, asked: Mapping[str, EndpointSettings]
) -> dict[str, EndpointSettings]:
    """Return endpoints by network name, that of the network mode first, the others by name.

    A network that does not exist (yet) keeps what it was called: the start says so. One whose name
    is another's is under its id. One that is asked for by id and by name too has the wishes of the
    one with more of them.
    """
    named: dict[str, EndpointSettings] = {}
    find = env.networks.store.find
    for ref in sorted(asked, key=lambda each: (each != mode, each)):
        network = find(ref)
        name = network.name if network is not None and find(network.name) is network else ref
        if named.get(name, EndpointSettings()) == EndpointSettings():
            named[name] = asked[ref]
    return named
