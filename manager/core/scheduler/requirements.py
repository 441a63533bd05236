"""What all tasks of one service and spec version ask of a node."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, UnsetType

from api.types.cluster_networks import PortConfig, PublishMode
from api.types.containers import Mount
from api.types.nodes import Platform
from api.types.tasks import Placement
from manager.core.objects.task import Task
from manager.core.scheduler.constraint import Constraint, parse_constraints
from manager.core.scheduler.resources import Demand, demand_of

Port = tuple[str, int]
"""Protocol and number."""

ServiceVersion = tuple[str, int]
"""A service's identifier and the version of the spec that tasks were made from."""

_NO_PLACEMENT = Placement()

NODES_THEMSELVES = frozenset({"node.id", "node.hostname"})
"""Preferences for what is done in any case: tasks are spread over nodes."""


class Requirements(Struct, frozen=True, kw_only=True):
    """What a node must be and have: `placement_key` names the part that no task can change.

    plugins are (type, name) pairs; preferences are label descriptors, the weightiest first.
    """

    service_id: str
    spec_version: int
    demand: Demand
    ports: frozenset[Port]
    max_replicas: int
    constraints: tuple[Constraint, ...]
    platforms: tuple[Platform, ...]
    plugins: tuple[tuple[str, str], ...]
    needs_cluster_volume: bool
    preferences: tuple[str, ...]

    @property
    def placement_key(self) -> tuple[object, ...]:
        """Return what two services share whose tasks fit the same nodes while these are empty."""
        return (self.constraints, self.platforms, self.plugins, self.needs_cluster_volume)


def requirements_of(task: Task) -> Requirements:
    """Return what a task asks of its node."""
    spec = task.spec
    placement = spec.Placement or _NO_PLACEMENT
    mounts = spec.ContainerSpec.Mounts if spec.ContainerSpec is not None else []
    return Requirements(
        service_id=task.service_id,
        spec_version=task.spec_version,
        demand=demand_of(spec),
        ports=host_ports(task.endpoint.Ports),
        max_replicas=placement.MaxReplicas,
        constraints=tuple(parse_constraints(placement.Constraints)),
        platforms=tuple(placement.Platforms),
        plugins=tuple(_plugins(task, mounts)),
        needs_cluster_volume=any(mount.Type == "cluster" for mount in mounts),
        preferences=preferences_of(placement),
    )


def preferences_of(placement: Placement | None) -> tuple[str, ...]:
    """Return the labels that tasks are spread over; over nodes they are spread in any case."""
    over = () if placement is None else placement.Preferences
    names = (each.Spread.SpreadDescriptor for each in over if each.Spread is not None)
    return tuple(name for name in names if name.lower() not in NODES_THEMSELVES)


def host_ports(ports: Iterable[PortConfig]) -> frozenset[Port]:
    """Return the ports that a task needs on its host for itself."""
    return frozenset(
        (port.Protocol or "tcp", port.PublishedPort)
        for port in ports
        if port.PublishMode == PublishMode.HOST and port.PublishedPort
    )


def _plugins(task: Task, mounts: Iterable[Mount]) -> Iterable[tuple[str, str]]:
    for mount in mounts:
        driver = _volume_driver(mount)
        if driver not in ("", "local"):
            yield "Volume", driver
    log_driver = task.log_driver or task.spec.LogDriver
    if log_driver is not None and log_driver.Name not in ("", "none"):
        yield "Log", log_driver.Name


def _volume_driver(mount: Mount) -> str:
    options = mount.VolumeOptions
    if mount.Type != "volume" or options is None or isinstance(options, UnsetType):
        return ""
    driver = options.DriverConfig
    if driver is None or isinstance(driver, UnsetType) or isinstance(driver.Name, UnsetType):
        return ""
    return driver.Name
