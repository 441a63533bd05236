"""Create a network of the cluster."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from api.cluster_errors import NameConflict
from api.errors import Conflict
from api.ids import new_object_id
from api.types.cluster_networks import ClusterIPAMConfig, IPAMOptions, NetworkSpec
from api.types.networks import IPAMConfig, NetworkCreateRequest, NetworkCreateResponse
from api.types.objects import Driver
from manager.cluster.env import ClusterEnv
from manager.core.allocator.networks import given, noted
from manager.core.objects.network import Network
from manager.core.store.transaction import Transaction
from manager.core.validate.networks import check_network_spec

INGRESS_NAME = "ingress"


class NetworkNameTaken(Conflict):
    """Another network of the cluster has the name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"network with name {name} already exists")


class IngressExists(NameConflict):
    """There is one ingress network in a swarm."""

    def __init__(self, network_id: str) -> None:
        super().__init__(f"ingress network ({network_id}) is already present")


async def create_network(env: ClusterEnv, wanted: NetworkCreateRequest) -> NetworkCreateResponse:
    """Make a network; it has its subnets and VXLAN ids at once.

    Errors:  InvalidSpec, InternalLabel, NetworkNameTaken, IngressExists; SubnetOverlaps,
             PoolsExhausted, VnisExhausted, VniTaken.
    """
    spec = spec_of(wanted)
    check_network_spec(spec)
    network = Network(id=new_object_id(), spec=spec)
    await env.store.update(lambda tx: add_network(tx, network))
    return NetworkCreateResponse(Id=network.id)


def add_network(tx: Transaction, network: Network) -> None:
    """Make a network in a transaction. Errors: as `create_network`."""
    spec = network.spec
    if any(spec.Name == other.spec.Name for other in tx.networks):
        raise NetworkNameTaken(spec.Name)
    if spec.Ingress:
        for other in tx.networks:
            if other.spec.Ingress:
                raise IngressExists(other.id)
    cluster = next(iter(tx.clusters))
    made = tx.networks.create(given(network, list(tx.networks), cluster))
    tx.clusters.update(noted(cluster, made))


def ingress_network() -> Network:
    """Return the ingress network that every new swarm has."""
    spec = NetworkSpec(
        Name=INGRESS_NAME, Ingress=True, DriverConfiguration=Driver(Name="overlay"), Scope="swarm"
    )
    return Network(id=new_object_id(), spec=spec)


def spec_of(wanted: NetworkCreateRequest) -> NetworkSpec:
    """Return what a request asks for."""
    ipam = None
    if wanted.IPAM is not None:
        driver = Driver(Name=wanted.IPAM.Driver or "default", Options=wanted.IPAM.Options or {})
        configs = [_pool(each) for each in wanted.IPAM.Config or []]
        ipam = IPAMOptions(Driver=driver, Configs=[each for each in configs if each.Subnet])
    return NetworkSpec(
        Name=wanted.Name,
        Labels=wanted.Labels or {},
        DriverConfiguration=Driver(
            Name=wanted.Driver or "overlay", Options=dict(wanted.Options or {})
        ),
        IPv6Enabled=bool(wanted.EnableIPv6),
        Internal=wanted.Internal,
        Attachable=wanted.Attachable,
        Ingress=wanted.Ingress,
        IPAMOptions=ipam,
        Scope=wanted.Scope or "swarm",
    )


def _pool(config: IPAMConfig) -> ClusterIPAMConfig:
    pool = ClusterIPAMConfig()
    for name, value in (
        ("Subnet", config.Subnet), ("Range", config.IPRange), ("Gateway", config.Gateway)
    ):  # fmt: skip
        if value is not UNSET:
            pool = replace(pool, **{name: str(value)})
    return pool
