"""The container that a task comes to."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from agent.core.task_to_container import NodeFacts, container_of, task_name
from api.errors import InvalidArgument, NoSuchNetwork, Unsupported
from api.templates import TemplateError
from api.types.assignments import AssignedNetwork, AssignedTask
from api.types.cluster_networks import ClusterNetwork, NetworkSpec, PortConfig
from api.types.container_spec import (
    AppArmorOptions,
    ContainerSpec,
    CredentialSpec,
    DNSConfig,
    Privileges,
    SeccompOptions,
    SELinuxContext,
)
from api.types.containers import ContainerCreateRequest, HealthConfig, HostConfig, Mount, Ulimit
from api.types.networks import EndpointIPAMConfig, EndpointSettings, PortBinding
from api.types.objects import Driver
from api.types.resources import (
    DiscreteGenericResource,
    GenericResource,
    Limit,
    NamedGenericResource,
    ResourceObject,
    ResourceRequirements,
)
from api.types.tasks import TaskSpec

NODE = NodeFacts("n1", "host0", "linux", "x86_64")
TASK = AssignedTask(
    ID="t1",
    ServiceID="s1",
    ServiceName="web",
    ServiceLabels={"tier": "front"},
    Slot=3,
    NodeID="n1",
    Spec=TaskSpec(ContainerSpec=ContainerSpec(Image="nginx")),
)


def of(task: AssignedTask = TASK, **spec: Any) -> ContainerCreateRequest:
    """Return the request for a task whose container spec has these fields."""
    container = ContainerSpec(**{"Image": "nginx", **spec})
    changed = replace(task, Spec=replace(task.Spec, ContainerSpec=container))
    return container_of(changed, NODE, {}).request


def host(task: AssignedTask = TASK, **spec: Any) -> HostConfig:
    """Return the host's part of it."""
    found = of(task, **spec).HostConfig
    assert found is not None
    return found


def with_resources(**resources: Any) -> AssignedTask:
    """Return a task with these requirements."""
    return replace(TASK, Spec=TaskSpec(Resources=ResourceRequirements(**resources)))


def test_names_are_service_slot_and_id() -> None:
    """Scripts take them apart."""
    assert "web.3.t1" == task_name(TASK)
    assert "web.n1.t1" == task_name(replace(TASK, Slot=0)), "a global service's slot is the node"


def test_labels_are_the_specs_and_the_references_own() -> None:
    expected = {
        "app": "web",
        "com.docker.swarm.task": "",
        "com.docker.swarm.task.id": "t1",
        "com.docker.swarm.task.name": "web.3.t1",
        "com.docker.swarm.node.id": "n1",
        "com.docker.swarm.service.id": "s1",
        "com.docker.swarm.service.name": "web",
    }

    assert expected == of(Labels={"app": "web", "com.docker.swarm.task.id": "forged"}).Labels


def test_command_and_arguments() -> None:
    """A command takes the place of the entrypoint, arguments alone leave it."""
    command = of(Command=["sh", "-c"], Args=["true"])
    assert (["sh", "-c"], ["true"]) == (command.Entrypoint, command.Cmd)

    arguments = of(Args=["true"])
    assert (None, ["true"]) == (arguments.Entrypoint, arguments.Cmd)

    nothing = of()
    assert (None, None) == (nothing.Entrypoint, nothing.Cmd)


def test_plain_fields_go_where_the_engine_has_them() -> None:
    probe = HealthConfig(Test=["CMD", "true"])
    found = of(
        Dir="/srv",
        User="1:2",
        TTY=True,
        OpenStdin=True,
        StopSignal="SIGINT",
        StopGracePeriod=1_500_000_000,
        Healthcheck=probe,
    )

    assert ("/srv", "1:2", True, True, "SIGINT", 2, probe) == (
        found.WorkingDir,
        found.User,
        found.Tty,
        found.OpenStdin,
        found.StopSignal,
        found.StopTimeout,
        found.Healthcheck,
    )
    assert (UNSET, None, UNSET) == (of().StopSignal, of().StopTimeout, of().Healthcheck)


def test_host_fields_go_where_the_engine_has_them() -> None:
    mount = Mount(Type="tmpfs", Target="/tmp")
    found = host(
        Groups=["audio"],
        ReadOnly=True,
        Init=True,
        Sysctls={"net.core.somaxconn": "1"},
        CapabilityAdd=["CAP_NET_ADMIN"],
        CapabilityDrop=["ALL"],
        Ulimits=[Ulimit("nofile", 2, 1)],
        OomScoreAdj=7,
        Mounts=[mount],
        DNSConfig=DNSConfig(Nameservers=["1.1.1.1"], Search=["x"], Options=["ndots:2"]),
        Hosts=["10.0.0.1 db db.local", "10.0.0.2"],
    )

    assert (
        HostConfig(
            GroupAdd=["audio"],
            ReadonlyRootfs=True,
            Init=True,
            Sysctls={"net.core.somaxconn": "1"},
            CapAdd=["CAP_NET_ADMIN"],
            CapDrop=["ALL"],
            Ulimits=[Ulimit("nofile", 2, 1)],
            OomScoreAdj=7,
            Mounts=[mount],
            Dns=["1.1.1.1"],
            DnsSearch=["x"],
            DnsOptions=["ndots:2"],
            ExtraHosts=["db:10.0.0.1"],
        )
        == found
    )


def test_placeholders_are_filled_in() -> None:
    found = of(
        Hostname="{{.Service.Name}}-{{.Task.Slot}}",
        Env=["NODE={{.Node.Hostname}}", 'TIER={{index .Service.Labels "tier"}}'],
        Mounts=[Mount(Type="volume", Source="data-{{.Task.Slot}}", Target="/data")],
    )

    assert ("web-3", ["NODE=host0", "TIER=front"]) == (found.Hostname, found.Env)
    assert found.HostConfig is not None
    assert found.HostConfig.Mounts
    assert "data-3" == found.HostConfig.Mounts[0].Source


def test_placeholders_that_make_no_sense_are_refused() -> None:
    with pytest.raises(TemplateError):
        of(Hostname="{{.Nonsense}}")


def test_limits_and_reservations() -> None:
    task = with_resources(
        Limits=Limit(NanoCPUs=500_000_000, MemoryBytes=100 << 20, Pids=10),
        Reservations=ResourceObject(MemoryBytes=50 << 20),
        SwapBytes=10 << 20,
        MemorySwappiness=5,
    )

    found = host(task)

    assert (500_000_000, 100 << 20, 10, 50 << 20, 110 << 20, 5) == (
        found.NanoCpus,
        found.Memory,
        found.PidsLimit,
        found.MemoryReservation,
        found.MemorySwap,
        found.MemorySwappiness,
    )


def test_swap_needs_a_limit_of_memory() -> None:
    with pytest.raises(InvalidArgument, match="limit of memory"):
        host(with_resources(SwapBytes=1))
    assert -1 == host(with_resources(SwapBytes=-1)).MemorySwap


def test_generic_resources_are_told_by_the_environment() -> None:
    named = [
        GenericResource(NamedResourceSpec=NamedGenericResource(Kind="gpu", Value=each))
        for each in ("a", "b")
    ]
    counted = GenericResource(DiscreteResourceSpec=DiscreteGenericResource(Kind="ssd", Value=2))

    found = of(replace(TASK, GenericResources=[*named, counted]), Env=["A=1"])

    assert ["A=1", "DOCKER_RESOURCE_GPU=a,b", "DOCKER_RESOURCE_SSD=2"] == found.Env


def test_only_ports_of_the_host_are_published_by_the_container() -> None:
    task = replace(
        TASK,
        Ports=[
            PortConfig(TargetPort=80, PublishedPort=8080, PublishMode="host"),
            PortConfig(TargetPort=53, Protocol="udp", PublishMode="host"),
            PortConfig(TargetPort=443, PublishedPort=8443, PublishMode="ingress"),
        ],
    )

    assert {"80/tcp": [PortBinding(HostPort="8080")], "53/udp": [PortBinding(HostPort="")]} == host(
        task
    ).PortBindings
    assert {"80/tcp": {}, "53/udp": {}} == of(task).ExposedPorts


def test_the_log_driver_is_the_tasks() -> None:
    found = host(replace(TASK, LogDriver=Driver("json-file", {"max-size": "1m"}))).LogConfig

    assert ("json-file", {"max-size": "1m"}) == (found.Type, found.Config)


@pytest.mark.parametrize(
    ("privileges", "expected"),
    [
        (Privileges(NoNewPrivileges=True), ["no-new-privileges=true"]),
        (Privileges(AppArmor=AppArmorOptions("disabled")), ["apparmor=unconfined"]),
        (Privileges(AppArmor=AppArmorOptions("default")), None),
        (Privileges(Seccomp=SeccompOptions(Mode="unconfined")), ["seccomp=unconfined"]),
        (Privileges(Seccomp=SeccompOptions(Mode="custom", Profile=b"{}")), ["seccomp={}"]),
        (Privileges(SELinuxContext=SELinuxContext(Disable=True)), ["label=disable"]),
        (
            Privileges(SELinuxContext=SELinuxContext(User="u", Level="s0")),
            ["label=user:u", "label=level:s0"],
        ),
    ],
)
def test_privileges_are_security_options(
    privileges: Privileges, expected: list[str] | None
) -> None:
    assert expected == host(Privileges=privileges).SecurityOpt


def test_what_this_node_cannot_run_is_refused_in_plain_words() -> None:
    with pytest.raises(Unsupported, match="Windows"):
        of(Privileges=Privileges(CredentialSpec=CredentialSpec(File="x")))
    with pytest.raises(Unsupported, match='runtime "plugin"'):
        container_of(replace(TASK, Spec=TaskSpec(Runtime="plugin")), NODE, {})
    with pytest.raises(Unsupported, match="volumes"):
        of(Mounts=[Mount(Type="cluster", Source="v", Target="/v")])


def test_without_one_of_its_networks_a_task_is_on_no_other() -> None:
    """The network was removed while the task was on its way."""
    with pytest.raises(NoSuchNetwork, match="network gone not found"):
        container_of(replace(TASK, Networks=[AssignedNetwork(NetworkID="gone")]), NODE, {})


def test_networks_of_the_node_are_a_mode_and_networks_of_the_cluster_are_endpoints() -> None:
    networks = {
        "h": ClusterNetwork(
            ID="h", Spec=NetworkSpec(Name="host", Labels={"com.docker.swarm.predefined": "true"})
        ),
        "o": ClusterNetwork(ID="o", Spec=NetworkSpec(Name="overlay")),
        "i": ClusterNetwork(ID="i", Spec=NetworkSpec(Name="ingress", Ingress=True)),
    }

    on_host = container_of(
        replace(TASK, Networks=[AssignedNetwork(NetworkID="i"), AssignedNetwork(NetworkID="h")]),
        NODE,
        networks,
    ).request
    on_overlay = container_of(
        replace(
            TASK,
            Networks=[
                AssignedNetwork(NetworkID="i", Addresses=["10.0.0.5/24"]),
                AssignedNetwork(
                    NetworkID="o", Addresses=["10.0.1.5/24", "fd00::5/64"], Aliases=["web"]
                ),
            ],
        ),
        NODE,
        networks,
    ).request

    assert on_host.HostConfig is not None
    assert ("host", None) == (on_host.HostConfig.NetworkMode, on_host.NetworkingConfig)
    assert on_overlay.HostConfig is not None
    assert "o" == on_overlay.HostConfig.NetworkMode
    assert on_overlay.NetworkingConfig is not None
    assert {
        "i": EndpointSettings(IPAMConfig=EndpointIPAMConfig(IPv4Address="10.0.0.5")),
        "o": EndpointSettings(
            IPAMConfig=EndpointIPAMConfig(IPv4Address="10.0.1.5", IPv6Address="fd00::5")
        ),
    } == on_overlay.NetworkingConfig.EndpointsConfig
