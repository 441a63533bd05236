"""Certificates signed by authorities elsewhere, asked as cfssl is: POST of a JSON document.

Source: CFSSL API, /api/v1/cfssl/sign: certificate_request, subject, hosts, profile; the answer
holds success, result.certificate, and errors with code and message.
"""

from __future__ import annotations

import asyncio
import importlib
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import ModuleType
from typing import TypeVar

import msgspec
from cryptography import x509
from msgspec import Struct, field

from api.errors import Unavailable
from api.types.swarm import ExternalCA
from manager.core.objects.cluster import RootCA
from protos.identity.certificates import (
    Identity,
    Role,
    identity_of,
    is_authority,
    is_issued_by,
    key_of_request,
    load_certificate,
    to_pem,
)
from protos.identity.channels import Credentials
from protos.identity.errors import BadCertificate
from protos.identity.in_memory import load_into

_CROSS_SIGN_PROFILE = "CA"
_REASON_LIMIT = 500

_T = TypeVar("_T")


class ExternalIssuerFailed(Unavailable):
    """No authority elsewhere signed; says what each of them did."""

    def __init__(self, reasons: Sequence[str]) -> None:
        said = "; ".join(reasons) or "there is none for this root certificate"
        super().__init__(f"no external CA signed the certificate: {said}")


class _Refused(Exception):
    """One authority did not sign, or not what it was asked to."""


class _Message(Struct, frozen=True):
    code: int = 0
    message: str = ""


class _Result(Struct, frozen=True):
    certificate: str = ""


class _Answer(Struct, frozen=True):
    success: bool = False
    result: _Result | None = None
    errors: list[_Message] | None = field(default_factory=list)


class CfsslIssuer:
    """The ExternalIssuer. It shows itself by the manager's certificate, once there is one.

    An authority's own TLS certificate must be by one of the cluster's roots or by one that this
    machine trusts.
    """

    def __init__(self, credentials: Callable[[], Credentials | None], timeout_s: float = 5) -> None:
        self._credentials = credentials
        self._timeout_s = timeout_s

    async def issue(
        self, authorities: Sequence[ExternalCA], root: str, request: bytes, identity: Identity
    ) -> bytes:
        """Return the PEM chain that an authority made. Errors: ExternalIssuerFailed."""
        order = {
            "certificate_request": request.decode(),
            "subject": _subject(identity),
            "hosts": [identity.role, identity.node_id],
        }

        async def ask(authority: ExternalCA) -> bytes:
            chain = await self._post(authority.URL, order)
            _check_node(load_certificate(chain), root, request, identity)
            return chain

        return await _first(authorities, ask)

    async def cross_sign(self, authorities: Sequence[ExternalCA], new: str, old: RootCA) -> str:
        """Return the new root certified by the old one's authorities. Errors: as `issue`."""
        certificate = load_certificate(new.encode())
        order = {"certificate_request": new, "profile": _CROSS_SIGN_PROFILE}

        async def ask(authority: ExternalCA) -> str:
            signed = load_certificate(await self._post(authority.URL, order))
            _check_cross_signed(signed, certificate, load_certificate(old.certificate.encode()))
            return to_pem(signed).decode()

        return await _first(authorities, ask)

    async def _post(self, url: str, order: Mapping[str, object]) -> bytes:
        http = await asyncio.to_thread(_http)
        try:
            status, content = await http.post(url, order, self._context(), self._timeout_s)
        except http.Failed as failure:
            raise _Refused(str(failure)) from failure
        return _certificate_of(status, content)

    def _context(self) -> ssl.SSLContext:
        mine = self._credentials()
        context = ssl.create_default_context()
        if mine is not None:
            context.load_verify_locations(cadata=mine.roots.decode())
            load_into(context, mine)
        return context


def _http() -> ModuleType:
    """Return the module that speaks HTTP; few clusters need it, and it takes long to import."""
    return importlib.import_module("manager.adapters.cfssl_http")


async def _first(
    authorities: Sequence[ExternalCA], ask: Callable[[ExternalCA], Awaitable[_T]]
) -> _T:
    """Return what the first authority that signs gives. Errors: ExternalIssuerFailed."""
    reasons = []
    for authority in authorities:
        try:
            return await ask(authority)
        except (_Refused, BadCertificate) as refusal:
            reasons.append(f"{authority.URL}: {refusal}")
        except (OSError, ValueError) as cause:
            reasons.append(f"{authority.URL}: {cause or type(cause).__name__}")
    raise ExternalIssuerFailed(reasons)


def _certificate_of(status: int, content: bytes) -> bytes:
    try:
        answer = msgspec.json.decode(content, type=_Answer)
    except msgspec.MsgspecError:
        raise _Refused(f"HTTP {status}, and not an answer of cfssl's") from None
    if answer.errors:
        said = ", ".join(f"{each.message} (code {each.code})" for each in answer.errors)
        raise _Refused(said[:_REASON_LIMIT])
    if not answer.success or answer.result is None or not answer.result.certificate:
        raise _Refused(f"HTTP {status}, without a certificate")
    return answer.result.certificate.encode()


def _check_node(
    certificate: x509.Certificate, root: str, request: bytes, identity: Identity
) -> None:
    """Refuse a certificate that is not what was ordered; guards know the roots alone."""
    if not is_issued_by(certificate, load_certificate(root.encode())):
        raise _Refused("its certificate is not signed by the cluster's root itself")
    if certificate.public_key() != key_of_request(request):
        raise _Refused("its certificate is for another key")
    if identity_of(certificate) != identity or is_authority(certificate):
        raise _Refused("its certificate is for another subject")
    if identity.role is Role.MANAGER and identity.role not in _names(certificate):
        raise _Refused("its certificate lacks the name of managers")


def _check_cross_signed(
    signed: x509.Certificate, new: x509.Certificate, old: x509.Certificate
) -> None:
    if not is_issued_by(signed, old) or not is_authority(signed):
        raise _Refused("its certificate is not an authority's by the root of now")
    if signed.public_key() != new.public_key() or signed.subject != new.subject:
        raise _Refused("its certificate is not for the new root")


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return []
    return found.value.get_values_for_type(x509.DNSName)


def _subject(identity: Identity) -> dict[str, object]:
    return {
        "CN": identity.node_id,
        "names": [{"OU": str(identity.role), "O": identity.cluster_id}],
    }
