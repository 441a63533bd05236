"""The container that a task comes to: its name, and the request that makes it.

Source of names, labels and of what goes where: the reference's containers of services, as
`docker inspect` shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import UNSET
from msgspec.structs import replace

from agent.core.privileges import security_options
from api.container_templates import TemplateContext, expand_container
from api.errors import InvalidArgument, NoSuchNetwork, Unsupported
from api.types.assignments import AssignedTask
from api.types.cluster_networks import ClusterNetwork, PublishMode
from api.types.container_spec import ContainerSpec
from api.types.containers import ContainerCreateRequest, HostConfig, LogConfig, Mount
from api.types.networks import EndpointIPAMConfig, EndpointSettings, NetworkingConfig, PortBinding
from api.types.resources import GenericResource, ResourceRequirements

LABEL = "com.docker.swarm."
# Marks networks of the cluster that stand for one of the node's own: host, none, bridge.
PREDEFINED = "com.docker.swarm.predefined"
_NANOS = 1_000_000_000
_RESOURCE = "DOCKER_RESOURCE_"


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What placeholders may ask of the node that a task runs on."""

    node_id: str
    hostname: str
    os: str
    architecture: str


@dataclass(frozen=True, slots=True)
class TaskContainer:
    """A container to be made."""

    name: str
    request: ContainerCreateRequest


def container_of(
    task: AssignedTask, node: NodeFacts, networks: Mapping[str, ClusterNetwork]
) -> TaskContainer:
    """Return the container of a task; its secrets and configs are not part of it.

    Errors:  InvalidArgument and its kin where the spec makes no sense, TemplateError; Unsupported
             for what this node cannot run; NoSuchNetwork.
    """
    spec = container_spec(task, node)
    host_config = replace(
        _host_config(task, spec), NetworkMode=_network_mode(task, networks), **_limits(task)
    )
    request = ContainerCreateRequest(
        Labels=_labels(task, spec),
        StopSignal=spec.StopSignal or UNSET,
        StopTimeout=_grace_s(spec),
        Tty=spec.TTY,
        OpenStdin=spec.OpenStdin,
        User=spec.User,
        Env=[*spec.Env, *_resource_env(task.GenericResources)] or None,
        Hostname=spec.Hostname,
        WorkingDir=spec.Dir,
        Image=spec.Image,
        ExposedPorts={port: {} for port in _ports(task)} or UNSET,
        Healthcheck=spec.Healthcheck or UNSET,
        Entrypoint=spec.Command or None,
        Cmd=spec.Args or None,
        HostConfig=host_config,
        NetworkingConfig=_networking(task, networks),
    )
    return TaskContainer(task_name(task), request)


def container_spec(task: AssignedTask, node: NodeFacts) -> ContainerSpec:
    """Return the task's container spec with its placeholders filled in.

    Errors:  Unsupported where the task runs no container, TemplateError.
    """
    spec = task.Spec.ContainerSpec
    if spec is None or task.Spec.Runtime not in {"", "container"}:
        raise Unsupported(f'tasks of runtime "{task.Spec.Runtime}" are not supported by this node')
    return expand_container(spec, template_context(task, node))


def template_context(task: AssignedTask, node: NodeFacts) -> TemplateContext:
    """Return what placeholders of this task stand for."""
    return TemplateContext(
        service_id=task.ServiceID,
        service_name=task.ServiceName,
        service_labels=task.ServiceLabels,
        node_id=node.node_id,
        node_hostname=node.hostname,
        node_os=node.os,
        node_architecture=node.architecture,
        task_id=task.ID,
        task_name=task_name(task),
        task_slot=_slot(task),
    )


def task_name(task: AssignedTask) -> str:
    """Return the name of a task and of its container: `<service>.<slot>.<id>`."""
    return f"{task.ServiceName}.{_slot(task)}.{task.ID}"


def _slot(task: AssignedTask) -> str:
    return str(task.Slot) if task.Slot else task.NodeID


def _labels(task: AssignedTask, spec: ContainerSpec) -> dict[str, str]:
    own = {
        "task": "",
        "task.id": task.ID,
        "task.name": task_name(task),
        "node.id": task.NodeID,
        "service.id": task.ServiceID,
        "service.name": task.ServiceName,
    }
    return {**spec.Labels, **{LABEL + name: value for name, value in own.items()}}


def _host_config(task: AssignedTask, spec: ContainerSpec) -> HostConfig:
    dns = spec.DNSConfig
    return HostConfig(
        GroupAdd=spec.Groups or None,
        PortBindings=_ports(task) or None,
        Mounts=[_mount(each) for each in spec.Mounts] or UNSET,
        ReadonlyRootfs=spec.ReadOnly,
        Isolation=spec.Isolation,
        Init=UNSET if spec.Init is None else spec.Init,
        Sysctls=spec.Sysctls or UNSET,
        CapAdd=spec.CapabilityAdd or None,
        CapDrop=spec.CapabilityDrop or None,
        OomScoreAdj=spec.OomScoreAdj,
        Dns=dns.Nameservers or None if dns else None,
        DnsSearch=dns.Search or None if dns else None,
        DnsOptions=dns.Options or None if dns else None,
        ExtraHosts=_extra_hosts(spec.Hosts) or None,
        SecurityOpt=security_options(spec.Privileges) or None,
        LogConfig=(
            LogConfig(task.LogDriver.Name, task.LogDriver.Options or None)
            if task.LogDriver
            else LogConfig()
        ),
        Ulimits=spec.Ulimits or None,
    )


def _mount(mount: Mount) -> Mount:
    if mount.Type == "cluster":
        raise Unsupported("this node has no plugin for the cluster's volumes")
    return mount


def _extra_hosts(lines: list[str]) -> list[str]:
    """Return hosts(5) lines as the engine takes them: `name:address`, for the first name."""
    words = (line.split() for line in lines)
    return [f"{names[0]}:{address}" for address, *names in filter(None, words) if names]


def _ports(task: AssignedTask) -> dict[str, list[PortBinding] | None]:
    """Return the ports that are published on the task's own node."""
    return {
        f"{port.TargetPort}/{port.Protocol or 'tcp'}": [
            PortBinding(HostPort=str(port.PublishedPort or ""))
        ]
        for port in task.Ports
        if port.PublishMode == PublishMode.HOST
    }


def _limits(task: AssignedTask) -> dict[str, int | None]:
    """Return the fields of HostConfig that the task's resources come to."""
    resources = task.Spec.Resources
    limits = resources.Limits if resources else None
    if resources is None:
        return {}
    found: dict[str, int | None] = {"MemorySwappiness": resources.MemorySwappiness}
    if limits is not None:
        found |= {
            "Memory": limits.MemoryBytes,
            "NanoCpus": limits.NanoCPUs,
            "PidsLimit": limits.Pids or None,
        }
    if resources.SwapBytes is not None:
        found["MemorySwap"] = _memory_and_swap(resources, resources.SwapBytes)
    if resources.Reservations is not None and limits is not None and limits.MemoryBytes:
        found["MemoryReservation"] = min(resources.Reservations.MemoryBytes, limits.MemoryBytes)
    return found


def _memory_and_swap(resources: ResourceRequirements, swap_bytes: int) -> int:
    if swap_bytes < 0:
        return -1
    if resources.Limits is None or not resources.Limits.MemoryBytes:
        raise InvalidArgument("a limit of swap needs a limit of memory")
    return resources.Limits.MemoryBytes + swap_bytes


def _resource_env(resources: list[GenericResource]) -> list[str]:
    """Return what tells a container which of the node's resources are its own."""
    found: dict[str, list[str]] = {}
    for each in resources:
        if each.NamedResourceSpec is not None:
            named = each.NamedResourceSpec
            found.setdefault(named.Kind, []).append(named.Value)
        elif each.DiscreteResourceSpec is not None:
            counted = each.DiscreteResourceSpec
            found.setdefault(counted.Kind, []).append(str(counted.Value))
    return [f"{_RESOURCE}{kind.upper()}={','.join(values)}" for kind, values in found.items()]


def _grace_s(spec: ContainerSpec) -> int | None:
    """Return the seconds between asking and killing, rounded up; None is the engine's default."""
    if spec.StopGracePeriod is None:
        return None
    return -(-spec.StopGracePeriod // _NANOS)


def _predefined(network: ClusterNetwork) -> bool:
    return network.Spec.Labels.get(PREDEFINED) == "true"


def _network_mode(task: AssignedTask, networks: Mapping[str, ClusterNetwork]) -> str:
    """Return the mode: a predefined network's name, else that of the first network.

    The ingress network is the mode of a task that is on no other.
    Errors:  NoSuchNetwork: it was removed, and without it the task would be on another one.
    """
    if missing := [each.NetworkID for each in task.Networks if each.NetworkID not in networks]:
        raise NoSuchNetwork(missing[0])
    found = [networks[each.NetworkID] for each in task.Networks]
    for network in sorted(found, key=lambda each: each.Spec.Ingress):
        return network.Spec.Name if _predefined(network) else network.ID
    return ""


def _networking(
    task: AssignedTask, networks: Mapping[str, ClusterNetwork]
) -> NetworkingConfig | None:
    """Return the endpoints on the cluster's own networks; each has its addresses from above."""
    if any(_predefined(networks[each.NetworkID]) for each in task.Networks):
        return None
    endpoints: dict[str, EndpointSettings | None] = {}
    for each in task.Networks:
        network = networks[each.NetworkID]
        # Aliases are the service's, and lead to its address: the managers tell of them.
        endpoints[network.ID] = EndpointSettings(
            IPAMConfig=_addresses(each.Addresses), DriverOpts=each.DriverOpts or None
        )
    return NetworkingConfig(EndpointsConfig=endpoints) if endpoints else None


def _addresses(given: list[str]) -> EndpointIPAMConfig | None:
    """Return the addresses that the managers gave, without the length of their subnets."""
    bare = [each.partition("/")[0] for each in given]
    ipv4 = [each for each in bare if ":" not in each]
    ipv6 = [each for each in bare if ":" in each]
    if not bare:
        return None
    return EndpointIPAMConfig(
        IPv4Address=ipv4[0] if ipv4 else UNSET, IPv6Address=ipv6[0] if ipv6 else UNSET
    )
