"""Make a node a member by its token, or give a member its next certificate."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from api.errors import Forbidden
from api.ids import new_object_id
from api.types.nodes import NodeAvailability, NodeRole, NodeSpec
from manager.cluster.authority.sign import roots_pem, sign
from manager.cluster.env import ClusterEnv
from manager.cluster.swarm.state import the_cluster
from manager.core.ca.tokens import role_of_token
from manager.core.objects.cluster import Cluster
from manager.core.objects.node import IssuanceState, Node, NodeCertificate
from manager.core.store.query import View
from manager.core.store.transaction import Transaction
from manager.core.validate.nodes import check_availability
from protos.identity.certificates import Identity, Role, key_of_request

ROLES = {NodeRole.MANAGER: Role.MANAGER, NodeRole.WORKER: Role.WORKER}


class NotAMember(Forbidden):
    """The certificate is of a node that the cluster has not, or no more."""

    def __init__(self, node_id: str) -> None:
        super().__init__(
            f"node {node_id} is not a member of this cluster any more: let it leave the swarm "
            "(docker swarm leave --force) and join again"
        )


@dataclass(frozen=True, slots=True)
class Issued:
    """A node's certificate: PEM chain, and the roots that nodes trust now."""

    node_id: str
    role: Role
    chain: bytes
    roots: bytes


async def admit(env: ClusterEnv, request: bytes, token: str, availability: str) -> Issued:
    """Return the certificate of a node that joins, in the token's role; it is a member then.

    The same request again is the same node: its answer was lost.
    Errors:  InvalidJoinToken, BadSigningRequest, InvalidArgument, ExternalIssuerFailed.
    """
    view = env.store.view()
    cluster = the_cluster(view.clusters)
    role = role_of_token(token, cluster.root)
    key_of_request(request)
    if (known := _node_of(view, request)) is not None:
        return await renew(env, request, known.id)
    availability = availability or NodeAvailability.ACTIVE.value
    check_availability(availability)
    node_id = new_object_id()
    chain = await _signed(env, cluster, request, node_id, role)
    node = Node(
        id=node_id,
        spec=NodeSpec(Role=role.value, Availability=availability),
        role=role,
        certificate=_certificate(role, request, chain),
    )

    def change(tx: Transaction) -> Cluster:
        present = the_cluster(tx.clusters)
        role_of_token(token, present.root)  # it may have been rotated meanwhile
        tx.nodes.create(node)
        return present

    present = await env.store.update(change)
    return Issued(node_id, ROLES[role], chain, roots_pem(present.root))


async def renew(env: ClusterEnv, request: bytes, node_id: str) -> Issued:
    """Return the next certificate of a member, in the role that it has by now.

    Errors:  NotAMember, BadSigningRequest, ExternalIssuerFailed.
    """
    view = env.store.view()
    cluster = the_cluster(view.clusters)
    member = view.nodes.get(node_id)
    if member is None:
        raise NotAMember(node_id)
    chain = await _signed(env, cluster, request, node_id, member.role)

    def change(tx: Transaction) -> Cluster:
        node = tx.nodes.get(node_id)
        if node is None:
            raise NotAMember(node_id)
        tx.nodes.update(replace(node, certificate=_certificate(member.role, request, chain)))
        return the_cluster(tx.clusters)

    present = await env.store.update(change)
    return Issued(node_id, ROLES[member.role], chain, roots_pem(present.root))


async def _signed(
    env: ClusterEnv, cluster: Cluster, request: bytes, node_id: str, role: NodeRole
) -> bytes:
    identity = Identity(node_id, ROLES[role], cluster.id)
    config = cluster.spec.CAConfig
    return await sign(env.issuer, env.external_issuer, cluster.root, config, request, identity)


def _certificate(role: NodeRole, request: bytes, chain: bytes) -> NodeCertificate:
    return NodeCertificate(
        role=role, state=IssuanceState.ISSUED, request=request, certificate=chain
    )


def _node_of(view: View, request: bytes) -> Node | None:
    """Return the node that this very request was answered for."""
    return next((node for node in view.nodes if node.certificate.request == request), None)
