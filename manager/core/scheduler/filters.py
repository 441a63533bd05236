"""Why a task does not fit a node: one class per reason, in the words of `docker service ps`.

A lasting reason is the same for all tasks of a service until the node itself changes; the other
reasons come and go with the tasks on the node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from api.types.nodes import NodeAvailability, NodeState, Platform
from manager.core.scheduler.constraint import is_met
from manager.core.scheduler.node_info import NodeInfo
from manager.core.scheduler.requirements import Requirements
from manager.core.scheduler.resources import NOTHING

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm"}


Fits = Callable[[NodeInfo], bool]


class Filter:
    """One reason. `fits` tells whether a node passes; `is_asked` spares nodes a needless check."""

    is_lasting: ClassVar[bool]
    reason: ClassVar[str]
    """In words; {nodes} is how many nodes it rules out."""

    def __init__(self, fits: Fits, *, is_asked: bool) -> None:
        self.fits = fits
        self.is_asked = is_asked

    def explain(self, nodes: int) -> str:
        """Return the reason, for so many nodes."""
        return self.reason.format(nodes=f"{nodes} node{'' if nodes == 1 else 's'}")


class Ready(Filter):
    """The node is up and takes new tasks."""

    is_lasting = True
    reason = "{nodes} not available for new tasks"

    def __init__(self, _: Requirements) -> None:
        super().__init__(_is_ready, is_asked=True)


class Resources(Filter):
    """CPUs, memory and generic resources are free."""

    is_lasting = False
    reason = "insufficient resources on {nodes}"

    def __init__(self, needs: Requirements) -> None:
        demand = needs.demand
        super().__init__(lambda info: info.free.has(demand), is_asked=demand != NOTHING)


class Plugins(Filter):
    """Volume and log drivers are there. A node that names no log driver has them all."""

    is_lasting = True
    reason = "missing plugin on {nodes}"

    def __init__(self, needs: Requirements) -> None:
        wanted = needs.plugins
        super().__init__(
            lambda info: all(_has_plugin(info, kind, name) for kind, name in wanted),
            is_asked=bool(wanted),
        )


class Constraints(Filter):
    """The placement constraints are met."""

    is_lasting = True
    reason = "scheduling constraints not satisfied on {nodes}"

    def __init__(self, needs: Requirements) -> None:
        constraints = needs.constraints
        super().__init__(lambda info: is_met(constraints, info.node), is_asked=bool(constraints))


class Platforms(Filter):
    """The image exists for the node's platform; an empty part of a platform fits any."""

    is_lasting = True
    reason = "unsupported platform on {nodes}"

    def __init__(self, needs: Requirements) -> None:
        wanted = needs.platforms
        super().__init__(
            lambda info: any(_runs_on(each, info.node.description.Platform) for each in wanted),
            is_asked=bool(wanted),
        )


class HostPorts(Filter):
    """No other task has the host's ports."""

    is_lasting = False
    reason = "host-mode port already in use on {nodes}"

    def __init__(self, needs: Requirements) -> None:
        ports = needs.ports
        super().__init__(lambda info: ports.isdisjoint(info.ports), is_asked=bool(ports))


class MaxReplicas(Filter):
    """The node does not have as many tasks of the service as it may."""

    is_lasting = False
    reason = "max replicas per node limit exceed"

    def __init__(self, needs: Requirements) -> None:
        limit, service_id = needs.max_replicas, needs.service_id
        super().__init__(
            lambda info: info.by_service.get(service_id, 0) < limit, is_asked=limit > 0
        )


class ClusterVolumes(Filter):
    """Volumes of storage plugins (CSI) are not built: no node has any."""

    is_lasting = True
    reason = "cannot fulfill requested CSI volume mounts on {nodes}"

    def __init__(self, needs: Requirements) -> None:
        super().__init__(lambda _: False, is_asked=needs.needs_cluster_volume)


def _is_ready(info: NodeInfo) -> bool:
    node = info.node
    return bool(
        node.status.State == NodeState.READY and node.spec.Availability == NodeAvailability.ACTIVE
    )


def _has_plugin(info: NodeInfo, kind: str, name: str) -> bool:
    if (kind, name) in info.plugins or (kind, f"{name}:latest") in info.plugins:
        return True
    return kind == "Log" and not any(each == "Log" for each, _ in info.plugins)


def _runs_on(wanted: Platform, actual: Platform) -> bool:
    return wanted.OS in ("", actual.OS) and (
        not wanted.Architecture
        or _architecture(wanted.Architecture) == _architecture(actual.Architecture)
    )


def _architecture(name: str) -> str:
    return _ARCHITECTURES.get(name, name)
