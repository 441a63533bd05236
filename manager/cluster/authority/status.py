"""Tell what was issued to a node last."""

from __future__ import annotations

from dataclasses import dataclass

from api.errors import Forbidden
from manager.cluster.authority.issue import ROLES, Issued, NotAMember
from manager.cluster.authority.sign import roots_pem
from manager.cluster.env import ClusterEnv
from manager.cluster.swarm.state import the_cluster
from manager.core.objects.node import IssuanceState
from protos.identity.certificates import Identity, Role


class NotYours(Forbidden):
    """Nodes are told of their own certificate alone."""

    def __init__(self) -> None:
        super().__init__("a node may ask for its own certificate alone")


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """The certificate issued last, and whether the node should ask for the next one now."""

    issued: Issued
    is_renewal_wanted: bool


def certificate_status(
    env: ClusterEnv, asker: Identity, node_id: str, request: bytes
) -> CertificateStatus:
    """Return what was issued to a node ("" is the asker's own), as this manager knows by now.

    Managers ask for anyone; a joining node shows the request that its certificate is for.
    Errors:  NotAMember, NotYours.
    """
    view = env.store.view()
    node_id = node_id or asker.node_id
    node = view.nodes.get(node_id)
    is_own = asker.role is not Role.JOIN and asker.node_id == node_id
    is_proven = node is not None and bool(request) and request == node.certificate.request
    if asker.role is not Role.MANAGER and not is_own and not is_proven:
        raise NotYours
    if node is None:
        raise NotAMember(node_id)
    roots = roots_pem(the_cluster(view.clusters).root)
    issued = Issued(node_id, ROLES[node.certificate.role], node.certificate.certificate, roots)
    return CertificateStatus(issued, node.certificate.state is IssuanceState.RENEW)
