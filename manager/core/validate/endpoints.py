"""How a service is reached: resolution mode and published ports."""

from __future__ import annotations

from api.cluster_errors import InvalidSpec
from api.errors import InvalidArgument
from api.types.cluster_networks import EndpointSpec, PortConfig, PublishMode, ResolutionMode
from manager.core.validate.names import quoted

PROTOCOLS = frozenset(("tcp", "udp", "sctp"))
MAX_PORT = 65535


def check_endpoint_spec(spec: EndpointSpec | None) -> None:
    """Refuse ports that cannot be published together. Errors: InvalidArgument."""
    if spec is None:
        return
    if spec.Mode and spec.Mode not in set(ResolutionMode):
        raise InvalidArgument(f"invalid resolution mode: {quoted(spec.Mode)}")
    published = set()
    for port in spec.Ports:
        _check_port(port)
        if spec.Mode == ResolutionMode.DNSRR and port.PublishMode in ("", PublishMode.INGRESS):
            raise InvalidSpec(
                "EndpointSpec: port published with ingress mode can't be used with dnsrr mode"
            )
        key = (port.PublishedPort, port.Protocol or "tcp")
        if port.PublishedPort and key in published:
            raise InvalidSpec("EndpointSpec: duplicate published ports provided")
        published.add(key)


def _check_port(port: PortConfig) -> None:
    if port.Protocol and port.Protocol not in PROTOCOLS:
        raise InvalidSpec(f"EndpointSpec: invalid port protocol: {quoted(port.Protocol)}")
    if port.PublishMode and port.PublishMode not in set(PublishMode):
        raise InvalidSpec(f"EndpointSpec: invalid publish mode: {quoted(port.PublishMode)}")
    if not 0 < port.TargetPort <= MAX_PORT:
        raise InvalidSpec(f"EndpointSpec: invalid target port {port.TargetPort}")
    if port.PublishedPort > MAX_PORT:
        raise InvalidSpec(f"EndpointSpec: invalid published port {port.PublishedPort}")
