"""The first objects of a new cluster."""

from __future__ import annotations

from msgspec.structs import replace

from api.types.nodes import (
    NodeAvailability,
    NodeDescription,
    NodeRole,
    NodeSpec,
    NodeState,
    NodeStatus,
)
from api.types.swarm import SwarmInitRequest
from manager.cluster.authority.change import founded, without_signer
from manager.cluster.nodes.remove import certificate_end_ns
from manager.core.objects.cluster import Cluster
from manager.core.objects.node import IssuanceState, Node, NodeCertificate
from manager.core.store.transaction import Transaction
from manager.core.swarm_spec import DEFAULTS, merged
from manager.core.validate.nodes import check_availability
from manager.core.validate.swarm import (
    DEFAULT_SUBNET_SIZE,
    check_address_pools,
    check_data_path_port,
    check_swarm_spec,
)
from manager.ports.issuer import Issuer
from protos.identity.tokens import new_unlock_key

DEFAULT_POOLS = ("10.0.0.0/8",)
DEFAULT_DATA_PATH_PORT = 4789


def new_cluster(cluster_id: str, request: SwarmInitRequest, issuer: Issuer) -> Cluster:
    """Return the cluster that a request asks for: its spec, its authority, its tokens.

    Errors:  InvalidArgument; nothing has been made then.
    """
    spec = merged(request.Spec, DEFAULTS)
    locks = spec.EncryptionConfig.AutoLockManagers or request.AutoLockManagers
    spec = replace(spec, EncryptionConfig=replace(spec.EncryptionConfig, AutoLockManagers=locks))
    check_swarm_spec(spec)
    check_address_pools(request.DefaultAddrPool, request.SubnetSize)
    check_data_path_port(request.DataPathPort)
    return Cluster(
        id=cluster_id,
        spec=replace(spec, CAConfig=without_signer(spec.CAConfig)),
        root=founded(issuer, spec.CAConfig),
        unlock_key=new_unlock_key() if locks else b"",
        address_pools=request.DefaultAddrPool or list(DEFAULT_POOLS),
        subnet_size=request.SubnetSize or DEFAULT_SUBNET_SIZE,
        data_path_port=request.DataPathPort or DEFAULT_DATA_PATH_PORT,
    )


def new_node(
    node_id: str, availability: str, description: NodeDescription, certificate: bytes
) -> Node:
    """Return the node of the first manager. Errors: InvalidArgument."""
    availability = availability or NodeAvailability.ACTIVE.value
    check_availability(availability)
    return Node(
        id=node_id,
        spec=NodeSpec(Role=NodeRole.MANAGER.value, Availability=availability),
        role=NodeRole.MANAGER,
        description=description,
        status=NodeStatus(State=NodeState.UNKNOWN),
        certificate=NodeCertificate(
            role=NodeRole.MANAGER, state=IssuanceState.ISSUED, certificate=certificate
        ),
    )


def adopt(tx: Transaction) -> None:
    """Make a restored state one of a cluster whose managers are all gone.

    Their nodes are forgotten, and their certificates void: whoever of them still runs is of the
    cluster that was, and must join anew. Workers stay, and are waited for.
    """
    for cluster in tx.clusters:
        removed = dict(cluster.removed_nodes)
        for node in tx.nodes:
            if node.role is NodeRole.MANAGER:
                tx.nodes.remove(node.id)
                removed[node.id] = certificate_end_ns(cluster, tx.now_ns)
        tx.clusters.update(replace(cluster, removed_nodes=removed))
