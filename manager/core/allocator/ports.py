"""Ports that services publish on every node: who has which, and which one is next.

Ports of mode `host` are the nodes' own: the scheduler looks after them.
Source:  Docker's swarm mode: chosen ports are from 30000 to 32767, and a choice is kept for as long
         as the service publishes that target.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from api.cluster_errors import InvalidSpec
from api.types.cluster_networks import Endpoint, PortConfig, PublishMode
from manager.core.ingress_labels import health_ports
from manager.core.objects.service import Service

FIRST_CHOSEN, LAST_CHOSEN = 30000, 32767

_Claim = tuple[str, int]


class PortsExhausted(InvalidSpec):
    """Every port that could be chosen is published."""

    def __init__(self, protocol: str) -> None:
        super().__init__(f"no {protocol} port from {FIRST_CHOSEN} to {LAST_CHOSEN} is free")


class PublishedPorts:
    """The ingress ports of all services: a change of one service is a `plan` that is taken over."""

    def __init__(self, services: Iterable[Service] = ()) -> None:
        self._owners: dict[_Claim, str] = {}
        self._next = FIRST_CHOSEN
        for service in services:
            self.take(service, service.endpoint)

    def owner(self, protocol: str, port: int) -> str | None:
        """Return the id of the service that publishes a port."""
        return self._owners.get((protocol, port))

    def take(self, service: Service, endpoint: Endpoint) -> None:
        """Note what a service publishes now, its health port too; what it had before is free."""
        self.release(service.id)
        for port in (*endpoint.Ports, *health_ports(service.spec)):
            if _is_ingress(port) and port.PublishedPort:
                self._owners[_claim(port)] = service.id

    def release(self, service_id: str) -> None:
        """Free what a service publishes; fine if it is nothing."""
        mine = [claim for claim, owner in self._owners.items() if owner == service_id]
        for claim in mine:
            del self._owners[claim]

    def plan(
        self, service_id: str, wanted: Sequence[PortConfig], present: Sequence[PortConfig]
    ) -> list[PortConfig]:
        """Return the ports as they will be published; nothing is taken yet.

        A port that was chosen before stays with its target.
        Errors:  PortsExhausted, PortConflict.
        """
        planned: set[_Claim] = {_claim(port) for port in wanted if port.PublishedPort}
        chosen = {_target(port): port.PublishedPort for port in present if _is_ingress(port)}
        result: list[PortConfig] = []
        for port in wanted:
            if not _is_ingress(port):
                result.append(port)
                continue
            if not port.PublishedPort:
                port = replace(port, PublishedPort=chosen.pop(_target(port), 0))  # noqa: PLW2901
            if not port.PublishedPort or not self._is_free(port, service_id):
                port = self._choose(port, service_id, planned)  # noqa: PLW2901
            planned.add(_claim(port))
            result.append(port)
        return result

    def _choose(self, port: PortConfig, service_id: str, planned: set[_Claim]) -> PortConfig:
        if port.PublishedPort:
            raise PortConflict(port.PublishedPort, self._owners[_claim(port)])
        span = LAST_CHOSEN - FIRST_CHOSEN + 1
        for offset in range(span):
            number = FIRST_CHOSEN + (self._next - FIRST_CHOSEN + offset) % span
            candidate = replace(port, PublishedPort=number)
            if _claim(candidate) not in planned and self._is_free(candidate, service_id):
                self._next = number + 1
                return candidate
        raise PortsExhausted(port.Protocol)

    def _is_free(self, port: PortConfig, service_id: str) -> bool:
        return self._owners.get(_claim(port), service_id) == service_id


class PortConflict(InvalidSpec):
    """Another service publishes the port, which became known when it was to be given."""

    def __init__(self, port: int, owner: str) -> None:
        super().__init__(f"port '{port}' is already in use by service {owner}")
        self.owner = owner


def _is_ingress(port: PortConfig) -> bool:
    return port.PublishMode != PublishMode.HOST


def _claim(port: PortConfig) -> _Claim:
    return port.Protocol or "tcp", port.PublishedPort


def _target(port: PortConfig) -> tuple[str, int, str]:
    return port.Protocol or "tcp", port.TargetPort, port.Name
