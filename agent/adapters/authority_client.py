"""The cluster's authority over gRPC."""

from __future__ import annotations

from agent.ports.authority import Answer
from protos.errors import raised_here
from protos.identity.channels import Credentials, open_channel
from protos.identity.root import fetch_root
from protos.identity.tokens import JoinToken
from protos.skep.v1.ca_pb2 import IssueNodeCertificateRequest
from protos.skep.v1.ca_pb2_grpc import CAStub

_TIMEOUT_S = 15.0


class GrpcAuthority:
    """Fulfils `Authority`, each question on a connection of its own."""

    async def fetch_root(self, address: str, token: JoinToken) -> bytes:
        """Return the cluster's root, checked against the token."""
        return await fetch_root(address, token)

    async def issue(
        self,
        address: str,
        credentials: Credentials,
        request: bytes,
        token: str = "",
        availability: str = "",
    ) -> Answer:
        """Have a certificate issued for a signing request."""
        message = IssueNodeCertificateRequest(
            signing_request=request, token=token, availability=availability
        )
        async with open_channel(address, credentials) as channel:
            with raised_here():
                answer = await CAStub(channel).IssueNodeCertificate(message, timeout=_TIMEOUT_S)
        return Answer(answer.chain, answer.roots)
