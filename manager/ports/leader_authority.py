"""The way to the leader for what only it can sign."""

from __future__ import annotations

from typing import Protocol

from protos.skep.v1.ca_pb2 import IssueNodeCertificateRequest, IssueNodeCertificateResponse


class LeaderAuthority(Protocol):
    """Hands a request on to the leader."""

    async def issue(
        self, address: str, request: IssueNodeCertificateRequest
    ) -> IssueNodeCertificateResponse:
        """Return the leader's answer; the request says on whose behalf it is.

        Errors:  the leader's; Unavailable when it cannot be reached.
        """
        ...
