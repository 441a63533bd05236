"""Specs of the swarm itself, and what it is made with."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from api.cluster_errors import InvalidSpec
from api.errors import InvalidArgument
from api.types.swarm import CAConfig, SwarmSpec
from manager.core.network_keys import check_rotation
from manager.core.validate.names import quoted
from manager.core.validate.storable import check_storable

SWARM_NAME = "default"
MIN_CERT_EXPIRY_NANOS = 3600 * 10**9
MAX_SUBNET_SIZE = 29
DEFAULT_SUBNET_SIZE = 24
DATA_PATH_PORTS = range(1024, 49152)


def check_swarm_spec(spec: SwarmSpec) -> None:
    """Refuse a swarm that cannot be; zeros stand for defaults. Errors: InvalidArgument."""
    if spec.Name not in ("", SWARM_NAME):
        raise InvalidArgument(f"swarm spec must be named {quoted(SWARM_NAME)}")
    if spec.Dispatcher.HeartbeatPeriod < 0:
        raise InvalidSpec("heartbeat time period cannot be a negative duration")
    election, heartbeat = spec.Raft.ElectionTick, spec.Raft.HeartbeatTick
    if election < 0 or heartbeat < 0 or (election and heartbeat and election <= heartbeat):
        raise InvalidSpec("ElectionTick must be greater than HeartbeatTick, and both positive")
    _check_authority(spec.CAConfig)
    check_rotation(spec)
    check_storable(spec)


def _check_authority(config: CAConfig) -> None:
    if config.NodeCertExpiry and config.NodeCertExpiry < MIN_CERT_EXPIRY_NANOS:
        raise InvalidSpec("minimum certificate expiry time is: 1h0m0s")
    for external in config.ExternalCAs:
        if external.Protocol not in ("", "cfssl"):
            raise InvalidArgument(f"invalid protocol: {quoted(external.Protocol)}")
        if not external.URL:
            raise InvalidSpec("an external CA needs a URL")
    if config.SigningCAKey and not config.SigningCACert:
        raise InvalidSpec(
            "if a signing CA key is provided, the signing CA cert must also be provided"
        )


def check_address_pools(pools: Sequence[str], subnet_size: int) -> None:
    """Refuse pools that no subnets of the size could come from; size 0 is the default.

    Errors:  InvalidArgument.
    """
    size = subnet_size or DEFAULT_SUBNET_SIZE
    if size > MAX_SUBNET_SIZE:
        raise InvalidArgument(f"subnet size is out of range: {size}")
    networks: list[IPv4Network | IPv6Network] = []
    for text in pools:
        network = _pool(text)
        if size < network.prefixlen:
            raise InvalidArgument(
                f"invalid CIDR: {quoted(text)}. Subnet size is too small for pool: {size}"
            )
        for other in networks:
            if other.version == network.version and other.overlaps(network):
                raise InvalidArgument(f"address pool {network} overlaps with {other}")
        networks.append(network)


def _pool(text: str) -> IPv4Network | IPv6Network:
    try:
        if "/" not in text:
            raise InvalidArgument(f"invalid base pool {text}: invalid CIDR address: {text}")
        return ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidArgument(f"invalid base pool {text}: invalid CIDR address: {text}") from error


def check_data_path_port(port: int) -> None:
    """Refuse a port that tunnels must not use; 0 is the default. Errors: InvalidArgument."""
    if port and port not in DATA_PATH_PORTS:
        raise InvalidArgument(
            f"invalid data path port {port}: it must be from {DATA_PATH_PORTS[0]} to "
            f"{DATA_PATH_PORTS[-1]}"
        )
