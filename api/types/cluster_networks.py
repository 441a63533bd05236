"""Networks that span the cluster, and what services want of them (Engine API 1.56).

GET /networks shows them in the form of `api.types.networks.Network`; the managers keep them, and
tasks show them, in the form here.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from api.types.networks import ConfigReference
from api.types.objects import Annotations, ClusterObject, Driver, Natural


class PublishMode(StrEnum):
    """A port is published on all nodes, or just where a task runs."""

    INGRESS = "ingress"
    HOST = "host"


class ResolutionMode(StrEnum):
    """A service's name stands for one virtual address, or for its tasks' addresses."""

    VIP = "vip"
    DNSRR = "dnsrr"


class PortConfig(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A port that a service publishes; 0 lets the managers choose."""

    Name: str = ""
    Protocol: str = ""
    TargetPort: Natural = 0
    PublishedPort: Natural = 0
    PublishMode: str = ""


class EndpointSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a service is reached."""

    Mode: str = ""
    Ports: list[PortConfig] = field(default_factory=list)


class EndpointVirtualIP(Struct, frozen=True, omit_defaults=True):
    """A service's address on one network, in CIDR form."""

    NetworkID: str = ""
    Addr: str = ""


class Endpoint(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a service is reached indeed: ports and addresses as they were given."""

    Spec: EndpointSpec = field(default_factory=EndpointSpec)
    Ports: list[PortConfig] = field(default_factory=list)
    VirtualIPs: list[EndpointVirtualIP] = field(default_factory=list)


class NetworkAttachmentConfig(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A network that tasks are attached to, by name or identifier."""

    Target: str = ""
    Aliases: list[str] = field(default_factory=list)
    DriverOpts: dict[str, str] = field(default_factory=dict)


class ClusterIPAMConfig(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One address pool."""

    Subnet: str = ""
    Range: str = ""
    Gateway: str = ""


class IPAMOptions(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a network of the cluster gets its addresses."""

    Driver: Driver = field(default_factory=Driver)
    Configs: list[ClusterIPAMConfig] = field(default_factory=list)


class NetworkSpec(Annotations, frozen=True, kw_only=True, omit_defaults=True):
    """What users want of a network of the cluster."""

    DriverConfiguration: Driver | None = None
    IPv6Enabled: bool = False
    Internal: bool = False
    Attachable: bool = False
    Ingress: bool = False
    IPAMOptions: IPAMOptions | None = None
    ConfigFrom: ConfigReference | None = None
    Scope: str = ""


class ClusterNetwork(ClusterObject, frozen=True, kw_only=True, omit_defaults=True):
    """A network of the cluster: what is wanted, and what the allocator gave it."""

    Spec: NetworkSpec = field(default_factory=NetworkSpec)
    DriverState: Driver = field(default_factory=Driver)
    IPAMOptions: IPAMOptions | None = None


class NetworkAttachment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task on a network, with its addresses there in CIDR form."""

    Network: ClusterNetwork = field(default_factory=ClusterNetwork)
    Addresses: list[str] = field(default_factory=list)
