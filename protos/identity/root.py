"""The first contact: learn a cluster's root certificate, believing only the token's digest.

Also tells a token that managers refuse from a manager that is not there: after the handshake
a manager that does not know the token hangs up with an alert, one that does greets.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from api.swarm_errors import FingerprintMismatch, InvalidJoinToken
from protos.identity.certificates import to_der, to_pem
from protos.identity.channels import Credentials
from protos.identity.errors import BadCertificate, ManagerUnreachable
from protos.identity.in_memory import load_into
from protos.identity.join import join_credentials
from protos.identity.tokens import JoinToken, root_digest

_DER = 2  # ssl's own number for the form of a certificate's bytes


async def fetch_root(address: str, token: JoinToken, timeout_s: float = 10) -> bytes:
    """Return the PEM root certificate of the cluster at host:port, checked against the token.

    Errors: ManagerUnreachable when nobody answers as a manager does; FingerprintMismatch when none
    of the certificates shown is the token's; InvalidJoinToken when the managers refuse the token;
    BadCertificate when this machine's clock is outside the certificate's days.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _fetch(address, token)
    except TimeoutError:
        reason = f"no answer within {timeout_s:g} s"
        raise ManagerUnreachable(address, reason) from None
    except (OSError, EOFError) as cause:
        raise ManagerUnreachable(address, _reason(cause)) from cause


async def _fetch(address: str, token: JoinToken) -> bytes:
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        raise ManagerUnreachable(address, "the address has no port")
    context = _context(join_credentials(token, b""))
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
    try:
        root = _pinned(_presented(writer), token)
        try:
            greeting = await reader.read(1)
        except (ssl.SSLError, ConnectionError):
            raise InvalidJoinToken from None
        if not greeting:
            raise InvalidJoinToken
    finally:
        writer.transport.abort()
    _check_days(root)
    return to_pem(root)


def _reason(cause: OSError | EOFError) -> str:
    if isinstance(cause, ssl.SSLError | EOFError):
        return "what answers there does not speak TLS as managers do"
    if cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno)
    return str(cause) or "the connection broke"


def _context(credentials: Credentials) -> ssl.SSLContext:
    """Return a client that checks nothing yet: the digest is checked, which is stricter.

    TLS 1.3 alone: in it the manager's chain comes before it judges ours.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    load_into(context, credentials)
    return context


def _presented(writer: asyncio.StreamWriter) -> list[x509.Certificate]:
    """Return the certificates that the peer sent, unchecked."""
    session: Any = writer.get_extra_info("ssl_object")
    if hasattr(session, "get_unverified_chain"):  # public from Python 3.13 on
        encoded = session.get_unverified_chain()
    else:
        chain = session._sslobj.get_unverified_chain()  # noqa: SLF001 - what 3.11 and 3.12 have
        encoded = [each.public_bytes(_DER) for each in chain or ()]
    return [x509.load_der_x509_certificate(each) for each in encoded]


def _pinned(chain: list[x509.Certificate], token: JoinToken) -> x509.Certificate:
    for certificate in chain:
        if root_digest(to_der(certificate)) == token.root_digest:
            return certificate
    raise FingerprintMismatch(token.root_digest.hex())


def _check_days(root: x509.Certificate) -> None:
    now = datetime.now(UTC)
    first, last = root.not_valid_before_utc, root.not_valid_after_utc
    if not first <= now <= last:
        raise BadCertificate(
            f"the cluster's root certificate is valid from {first:%F %T} to {last:%F %T} UTC, and "
            f"this machine's clock says {now:%F %T} UTC: set the clock, then join again"
        )
