"""Joining as a node does it: the root by the token's digest, a certificate by its secret."""

from __future__ import annotations

import asyncio

from protos.errors import raised_here
from protos.identity.certificate_files import CertificateFiles
from protos.identity.certificates import new_request
from protos.identity.channels import Credentials, open_channel
from protos.identity.join import join_credentials
from protos.identity.keys import key_to_pem, new_key
from protos.identity.root import fetch_root
from protos.identity.tokens import parse_join_token
from protos.skep.v1.ca_pb2 import IssueNodeCertificateRequest
from protos.skep.v1.ca_pb2_grpc import CAStub
from tests.managers.process import ManagerProcess

_LIMIT_S = 15.0


def get_certificate(manager: ManagerProcess, token: str, through: ManagerProcess) -> str:
    """Have a node admitted by a manager's token or a worker's; return its id."""
    return asyncio.run(_get_certificate(manager, token, through))


async def _get_certificate(manager: ManagerProcess, text: str, through: ManagerProcess) -> str:
    token = parse_join_token(text)
    root = await fetch_root(through.address, token)
    key = new_key()
    async with open_channel(through.address, join_credentials(token, root)) as channel:
        request = IssueNodeCertificateRequest(signing_request=new_request(key), token=text)
        with raised_here():
            issued = await CAStub(channel).IssueNodeCertificate(request, timeout=_LIMIT_S)
    credentials = Credentials(roots=issued.roots, chain=issued.chain, key=key_to_pem(key))
    CertificateFiles(manager.state).replace(credentials)
    node_id: str = issued.node_id
    return node_id


def join(manager: ManagerProcess, through: ManagerProcess) -> str:
    """Start a manager as a member of another one's cluster; return its node's id."""
    token = through.get("/swarm")["JoinTokens"]["Manager"]
    node_id = get_certificate(manager, token, through)
    said = manager.start("--join", through.address)
    assert said.get("ready"), said
    return node_id
