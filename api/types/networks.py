"""Networks and endpoints as the API spells them (Engine API 1.56)."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType, field


class PortBinding(Struct, frozen=True):
    """Where a container's port is published; HostPort may be "", a number or a range."""

    HostIp: str = ""
    HostPort: str = ""


class EndpointIPAMConfig(Struct, frozen=True):
    """Addresses that the user asked for."""

    IPv4Address: str | UnsetType = UNSET
    IPv6Address: str | UnsetType = UNSET
    LinkLocalIPs: list[str] | UnsetType | None = UNSET


class EndpointSettings(Struct, frozen=True, kw_only=True):
    """A container's place on one network: what was asked for, and what is so while it runs."""

    IPAMConfig: EndpointIPAMConfig | None = None
    Links: list[str] | None = None
    Aliases: list[str] | None = None
    MacAddress: str = ""
    DriverOpts: dict[str, str] | None = None
    GwPriority: int = 0
    NetworkID: str = ""
    EndpointID: str = ""
    Gateway: str = ""
    IPAddress: str = ""
    IPPrefixLen: int = 0
    IPv6Gateway: str = ""
    GlobalIPv6Address: str = ""
    GlobalIPv6PrefixLen: int = 0
    DNSNames: list[str] | None = None


class NetworkingConfig(Struct, frozen=True):
    """The endpoints that create asks for, by network name or id; null means defaults."""

    EndpointsConfig: dict[str, EndpointSettings | None] | None = None


class IPAMConfig(Struct, frozen=True):
    """One address pool of a network."""

    Subnet: str | UnsetType = UNSET
    IPRange: str | UnsetType = UNSET
    Gateway: str | UnsetType = UNSET
    AuxiliaryAddresses: dict[str, str] | UnsetType | None = UNSET


class IPAM(Struct, frozen=True):
    """How a network gets its addresses."""

    Driver: str = "default"
    Options: dict[str, str] | None = None
    Config: list[IPAMConfig] = field(default_factory=list)


class ConfigReference(Struct, frozen=True):
    """The network that lends its configuration; "" for none."""

    Network: str = ""


class EndpointResource(Struct, frozen=True, kw_only=True):
    """A container on a network, as the network's inspect shows it; addresses in CIDR form."""

    Name: str
    EndpointID: str
    MacAddress: str
    IPv4Address: str
    IPv6Address: str


class PeerInfo(Struct, frozen=True):
    """A node that has a network of the cluster."""

    Name: str = ""
    IP: str = ""


class NetworkTaskInfo(Struct, frozen=True, kw_only=True):
    """A task that a service's address on a network leads to."""

    Name: str = ""
    EndpointID: str = ""
    EndpointIP: str = ""
    Info: dict[str, str] | None = None


class ServiceInfo(Struct, frozen=True, kw_only=True):
    """A service on a network of the cluster, as the verbose inspect shows it."""

    VIP: str = ""
    Ports: list[str] = field(default_factory=list)
    LocalLBIndex: int = 0
    Tasks: list[NetworkTaskInfo] = field(default_factory=list)


class SubnetStatus(Struct, frozen=True, kw_only=True):
    """How full a subnet is; counts end at 2**64 - 1."""

    IPsInUse: int = 0
    DynamicIPsAvailable: int = 0


class IPAMStatus(Struct, frozen=True):
    """How full a network's subnets are, by CIDR."""

    Subnets: dict[str, SubnetStatus] = field(default_factory=dict)


class NetworkStatus(Struct, frozen=True):
    """What is so about a network while one looks (API 1.52 and newer)."""

    IPAM: IPAMStatus = field(default_factory=IPAMStatus)


class Network(Struct, frozen=True, kw_only=True):
    """GET /networks, and with the containers GET /networks/{id}."""

    Name: str
    Id: str
    Created: str
    Scope: str = "local"
    Driver: str
    EnableIPv4: bool = True
    EnableIPv6: bool = False
    IPAM: IPAM
    Internal: bool = False
    Attachable: bool = False
    Ingress: bool = False
    ConfigFrom: ConfigReference = ConfigReference()
    ConfigOnly: bool = False
    Containers: dict[str, EndpointResource] | UnsetType = UNSET
    Options: dict[str, str] = field(default_factory=dict)
    Labels: dict[str, str] = field(default_factory=dict)
    Peers: list[PeerInfo] | UnsetType = UNSET
    Services: dict[str, ServiceInfo] | UnsetType = UNSET
    Status: NetworkStatus | UnsetType = UNSET


class NetworkCreateRequest(Struct, frozen=True, kw_only=True):
    """Body of POST /networks/create."""

    Name: str = ""
    CheckDuplicate: bool = False
    Driver: str = ""
    Scope: str = ""
    Internal: bool = False
    Attachable: bool = False
    Ingress: bool = False
    ConfigOnly: bool = False
    ConfigFrom: ConfigReference | None = None
    IPAM: IPAM | None = None
    EnableIPv4: bool | None = None
    EnableIPv6: bool | None = None
    Options: dict[str, str] | None = None
    Labels: dict[str, str] | None = None


class NetworkCreateResponse(Struct, frozen=True):
    """What create answers."""

    Id: str
    Warning: str = ""


class NetworkConnectRequest(Struct, frozen=True):
    """Body of POST /networks/{id}/connect."""

    Container: str = ""
    EndpointConfig: EndpointSettings | None = None


class NetworkDisconnectRequest(Struct, frozen=True):
    """Body of POST /networks/{id}/disconnect."""

    Container: str = ""
    Force: bool = False


class NetworkPruneResponse(Struct, frozen=True):
    """What prune answers; names, not ids."""

    NetworksDeleted: list[str] | None = None
