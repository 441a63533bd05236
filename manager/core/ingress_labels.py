"""What a service's labels say of its published ports: who answers, and where nodes tell so."""

from __future__ import annotations

from api.cluster_errors import InvalidSpec
from api.types.cluster_networks import PortConfig
from api.types.services import ServiceSpec

POLICY = "skep.ingress.policy"
HEALTH_PORT = "skep.ingress.health-port"
_LOCAL, _CLUSTER = "local", "cluster"
_LAST_PORT = 65535


def check_ingress_labels(spec: ServiceSpec) -> None:
    """Refuse labels that nobody could obey. Errors: InvalidSpec."""
    policy, port = spec.Labels.get(POLICY, ""), spec.Labels.get(HEALTH_PORT, "")
    if policy not in {"", _LOCAL, _CLUSTER}:
        raise InvalidSpec(f"label {POLICY}: expected {_LOCAL} or {_CLUSTER}, not {policy!r}")
    if port and not health_port(spec):
        raise InvalidSpec(f"label {HEALTH_PORT}: {port!r} is not a port from 1 to {_LAST_PORT}")


def is_local_only(spec: ServiceSpec) -> bool:
    """Tell whether a node answers for its own tasks alone."""
    return spec.Labels.get(POLICY) == _LOCAL


def health_port(spec: ServiceSpec) -> int:
    """Return where nodes tell whether they have tasks of the service, 0 for nowhere."""
    text = spec.Labels.get(HEALTH_PORT, "")
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(_LAST_PORT))
    return int(text) if is_number and int(text) <= _LAST_PORT else 0


def health_ports(spec: ServiceSpec) -> list[PortConfig]:
    """Return that port as one that is taken on all nodes; [] for none."""
    port = health_port(spec)
    return [PortConfig(Protocol="tcp", PublishedPort=port)] if port else []
