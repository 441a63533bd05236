"""What a service is given before its tasks can run: the ports that it publishes."""

from __future__ import annotations

from msgspec.structs import replace

from api.types.cluster_networks import Endpoint, EndpointSpec
from manager.core.allocator.ports import PublishedPorts
from manager.core.objects.service import Service

_NO_SPEC = EndpointSpec()


def is_allocated(service: Service) -> bool:
    """Tell whether the service has what its spec asks for."""
    return service.endpoint.Spec == (service.spec.EndpointSpec or _NO_SPEC)


def endpoint_of(service: Service, ports: PublishedPorts) -> Endpoint:
    """Return how the service is reached, by its spec. `ports` is told by whoever commits it.

    Errors:  PortsExhausted, PortConflict.
    """
    spec = service.spec.EndpointSpec or _NO_SPEC
    given = ports.plan(service.id, spec.Ports, service.endpoint.Ports)
    return replace(service.endpoint, Spec=spec, Ports=given)
