"""The network sandbox of a container: made before the runtime starts, gone after the exit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from api.types.networks import EndpointSettings, PortBinding
from engine.ports.network import UserNamespace

# Stands for the container's id of the sandbox through which a node reaches tasks of others.
INGRESS_SANDBOX = "ingress-sbox"
# Where a throw-away thread of the daemon is: the host.
HOST = "/proc/thread-self/ns/net"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRequest:
    """What a container asks of the network; modes host and container:X never come here.

    `endpoints` are by network name or id (mode `none` has none). `exposed` and the keys of
    `port_bindings` have the form "80/tcp". `nameservers` are asked for the outside's names.
    `owner` is the user namespace that the network namespace belongs to, None for the host's.
    """

    container_id: str
    container_name: str
    hostname: str
    endpoints: Mapping[str, EndpointSettings]
    port_bindings: Mapping[str, list[PortBinding] | None] = field(default_factory=dict)
    exposed: frozenset[str] = frozenset()
    publish_all: bool = False
    nameservers: tuple[str, ...] = ()
    owner: UserNamespace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """What it got: the namespace's path, endpoints as inspect shows them, ports as published.

    `userns_path` is where the user namespace is that was made for it.
    """

    netns_path: str
    endpoints: dict[str, EndpointSettings]
    ports: dict[str, list[PortBinding] | None]
    userns_path: str = ""
