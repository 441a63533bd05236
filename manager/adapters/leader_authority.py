"""The leader's authority over gRPC."""

from __future__ import annotations

from collections.abc import Callable

from protos.errors import raised_here
from protos.identity.channels import Credentials, open_channel
from protos.skep.v1.ca_pb2 import IssueNodeCertificateRequest, IssueNodeCertificateResponse
from protos.skep.v1.ca_pb2_grpc import CAStub

_TIMEOUT_S = 12.0  # less than nodes wait, so that they hear why


class GrpcLeaderAuthority:
    """Fulfils `LeaderAuthority`; certificates are few, so each goes on a connection of its own."""

    def __init__(self, credentials: Callable[[], Credentials]) -> None:
        self._credentials = credentials

    async def issue(
        self, address: str, request: IssueNodeCertificateRequest
    ) -> IssueNodeCertificateResponse:
        """Return the leader's answer."""
        async with open_channel(address, self._credentials()) as channel:
            with raised_here():
                answer: IssueNodeCertificateResponse = await CAStub(channel).IssueNodeCertificate(
                    request, timeout=_TIMEOUT_S
                )
        return answer
