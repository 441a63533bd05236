"""Why a manager and a node do not come together: gRPC says only that the connection closed.

The handshake is made once more by Python's own TLS, which tells one end's refusal from the other's.
"""

from __future__ import annotations

import asyncio
import ssl

from api.errors import SkepError
from protos.identity.certificates import MANAGER_NAME
from protos.identity.channels import Credentials
from protos.identity.errors import BadCertificate
from protos.identity.in_memory import load_into


class NotAccepted(BadCertificate):
    """The managers do not take the node's certificate any more."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"the manager at {address} does not accept this node's certificate: it has expired, "
            "the node was removed, or the swarm got another root certificate while the node was "
            "away"
        )


class NotTrusted(BadCertificate):
    """The node does not take the manager's certificate."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"what answers at {address} is no manager that this node trusts ({reason}): it is of "
            "another swarm, or the swarm got another root certificate while the node was away"
        )


async def refusal(address: str, credentials: Credentials, timeout_s: float = 3) -> SkepError | None:
    """Return why the two do not come together; None when that is not for certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=credentials.roots.decode())
    context.set_alpn_protocols(["h2"])
    load_into(context, credentials)
    try:
        async with asyncio.timeout(timeout_s):
            return await _try(address, context)
    except (OSError, TimeoutError, ValueError):
        return None


async def _try(address: str, context: ssl.SSLContext) -> SkepError | None:
    host, _, port = address.rpartition(":")
    try:
        reader, writer = await asyncio.open_connection(
            host.strip("[]"), int(port), ssl=context, server_hostname=MANAGER_NAME
        )
    except ssl.SSLCertVerificationError as cause:
        return NotTrusted(address, cause.verify_message)
    try:
        greeting = await reader.read(1)
    except ssl.SSLError:
        return NotAccepted(address)
    finally:
        writer.transport.abort()
    return None if greeting else NotAccepted(address)
