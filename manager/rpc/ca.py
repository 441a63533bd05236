"""What nodes ask the cluster's authority, joining ones too."""

from __future__ import annotations

from typing import Any

import grpc.aio

from api.errors import Forbidden, InvalidArgument
from api.swarm_errors import InvalidJoinToken, NoLeader
from manager.cluster.authority.issue import Issued, admit, renew
from manager.cluster.authority.sign import roots_pem
from manager.cluster.authority.status import certificate_status
from manager.cluster.env import ClusterEnv
from manager.cluster.swarm.state import the_cluster
from manager.ports.leader_authority import LeaderAuthority
from manager.ports.leadership import Leadership
from manager.rpc.guard import caller
from protos.identity.certificates import Identity, Role
from protos.identity.tokens import unlock_key_text
from protos.identity.trust import JOINING
from protos.skep.v1.ca_pb2 import (
    GetRootCertificateRequest,
    GetRootCertificateResponse,
    GetUnlockKeyRequest,
    GetUnlockKeyResponse,
    IssueNodeCertificateRequest,
    IssueNodeCertificateResponse,
    NodeCertificateStatusRequest,
    NodeCertificateStatusResponse,
    OnBehalfOf,
)
from protos.skep.v1.ca_pb2_grpc import CAServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Authority(CAServicer):
    """Answers on every manager; what needs signing is handed on to the leader."""

    def __init__(self, env: ClusterEnv, leadership: Leadership, leader: LeaderAuthority) -> None:
        self._env = env
        self._leadership = leadership
        self._leader = leader

    async def GetRootCertificate(
        self, request: GetRootCertificateRequest, context: Context
    ) -> GetRootCertificateResponse:
        """Return the roots that nodes trust now."""
        cluster = the_cluster(self._env.store.view().clusters)
        return GetRootCertificateResponse(roots=roots_pem(cluster.root))

    async def IssueNodeCertificate(
        self, request: IssueNodeCertificateRequest, context: Context
    ) -> IssueNodeCertificateResponse:
        """Admit a joining node, or renew a member's certificate.

        Errors:  InvalidJoinToken, NotAMember, BadSigningRequest, NoLeader.
        """
        asker = _asker(request)
        if not self._leadership.is_leader:
            return await self._hand_on(request, asker)
        if asker.role is not Role.JOIN:
            return _to_wire(await renew(self._env, request.signing_request, asker.node_id))
        if not request.token:
            raise InvalidJoinToken
        return _to_wire(
            await admit(self._env, request.signing_request, request.token, request.availability)
        )

    async def NodeCertificateStatus(
        self, request: NodeCertificateStatusRequest, context: Context
    ) -> NodeCertificateStatusResponse:
        """Return what was issued to a node last. Errors: NotAMember, NotYours, Unavailable."""
        await self._leadership.read_barrier()
        status = certificate_status(self._env, caller(), request.node_id, request.signing_request)
        return NodeCertificateStatusResponse(
            role=status.issued.role,
            chain=status.issued.chain,
            roots=status.issued.roots,
            renewal_wanted=status.is_renewal_wanted,
        )

    async def GetUnlockKey(
        self, request: GetUnlockKeyRequest, context: Context
    ) -> GetUnlockKeyResponse:
        """Return the key that opens locked managers; "" where they do not lock."""
        await self._leadership.read_barrier()
        key = the_cluster(self._env.store.view().clusters).unlock_key
        return GetUnlockKeyResponse(unlock_key=unlock_key_text(key) if key else "")

    async def _hand_on(
        self, request: IssueNodeCertificateRequest, asker: Identity
    ) -> IssueNodeCertificateResponse:
        address = self._leadership.leader_address
        if address is None or request.HasField("on_behalf_of"):
            raise NoLeader  # handed on once already: leadership moves just now
        request.on_behalf_of.CopyFrom(
            OnBehalfOf(node_id=asker.node_id, role=asker.role, cluster_id=asker.cluster_id)
        )
        return await self._leader.issue(address, request)


def _asker(request: IssueNodeCertificateRequest) -> Identity:
    """Return who asks; a manager's word for somebody else is believed, nobody's else.

    Errors:  Forbidden, InvalidArgument.
    """
    mine = caller()
    if not request.HasField("on_behalf_of"):
        return mine
    if mine.role is not Role.MANAGER:
        raise Forbidden("managers alone may ask on behalf of others")
    named = request.on_behalf_of
    try:
        role = Role(named.role)
    except ValueError:
        raise InvalidArgument("a request on behalf of nobody") from None
    return JOINING if role is Role.JOIN else Identity(named.node_id, role, named.cluster_id)


def _to_wire(issued: Issued) -> IssueNodeCertificateResponse:
    return IssueNodeCertificateResponse(
        node_id=issued.node_id, role=issued.role, chain=issued.chain, roots=issued.roots
    )
