"""Certificates and signing requests: who a node is, as X.509 says it.

    O = cluster id    OU = swarm-manager or swarm-worker    CN = node id

A request carries a key and nothing else that counts: the manager writes the subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from protos.identity.errors import BadCertificate, BadSigningRequest

MANAGER_NAME = "swarm-manager"  # a DNS name in every manager's certificate, and in no other
_REQUEST_LIMIT_BYTES = 16 << 10
_CHAIN_LIMIT_BYTES = 256 << 10


class Role(StrEnum):
    """What a certificate lets its owner do; JOIN is the right of a token, not of a node."""

    MANAGER = "swarm-manager"
    WORKER = "swarm-worker"
    JOIN = "swarm-join"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a certificate names."""

    node_id: str
    role: Role
    cluster_id: str

    def subject(self) -> x509.Name:
        """Return the name that goes into the certificate."""
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.cluster_id),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, self.role),
                x509.NameAttribute(NameOID.COMMON_NAME, self.node_id),
            ]
        )


def identity_of(certificate: x509.Certificate) -> Identity:
    """Return whom the certificate names; whether it is genuine is for `is_issued_by` to say.

    Errors: BadCertificate when a part is missing, doubled, or no role of a node.
    """
    subject = certificate.subject
    try:
        role = Role(_only(subject, NameOID.ORGANIZATIONAL_UNIT_NAME))
    except ValueError:
        raise BadCertificate("the certificate has no role that this cluster knows") from None
    if role is Role.JOIN:
        raise BadCertificate("the certificate names no node")
    return Identity(
        _only(subject, NameOID.COMMON_NAME), role, _only(subject, NameOID.ORGANIZATION_NAME)
    )


def _only(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    values = name.get_attributes_for_oid(oid)
    if len(values) != 1 or not isinstance(values[0].value, str) or not values[0].value:
        raise BadCertificate("the certificate's subject is not one of a node")
    return values[0].value


def load_chain(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of a PEM text, in order; BadCertificate when there is none."""
    if len(pem) > _CHAIN_LIMIT_BYTES:
        raise BadCertificate("the certificates are larger than any that this cluster makes")
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, UnsupportedAlgorithm) as cause:
        raise BadCertificate("no certificate in PEM form") from cause


def load_certificate(pem: bytes) -> x509.Certificate:
    """Return the first certificate of a PEM text."""
    return load_chain(pem)[0]


def to_pem(*certificates: x509.Certificate) -> bytes:
    """Return certificates as PEM, one after another."""
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def to_der(certificate: x509.Certificate) -> bytes:
    """Return a certificate as DER, the form that digests are made of."""
    return certificate.public_bytes(serialization.Encoding.DER)


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether the issuer's key signed the certificate; names must fit as well."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def issuer_among(
    certificate: x509.Certificate, roots: Sequence[x509.Certificate]
) -> x509.Certificate | None:
    """Return the root whose key signed the certificate; None when none of them did."""
    return next((root for root in roots if is_issued_by(certificate, root)), None)


def is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate may sign others."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return found.value.ca


def new_request(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a signing request in PEM that says nothing but: this key is mine."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def key_of_request(pem: bytes) -> ec.EllipticCurvePublicKey:
    """Return the key that a request proves to own. Everything else in it is ignored.

    Errors: BadSigningRequest when it is no request, too large, not signed by its own key, or the
    key is not on P-256.
    """
    if len(pem) > _REQUEST_LIMIT_BYTES:
        raise BadSigningRequest(f"it is larger than {_REQUEST_LIMIT_BYTES} bytes")
    try:
        request = x509.load_pem_x509_csr(pem)
        is_genuine = request.is_signature_valid
        key = request.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as cause:
        raise BadSigningRequest("it is not PEM of a request") from cause
    if not is_genuine:
        raise BadSigningRequest("its signature is not by its own key")
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise BadSigningRequest("its key is not an elliptic curve key on P-256")
    return key
