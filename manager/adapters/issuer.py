"""Certificates signed by keys that are in hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from api.cluster_errors import InvalidSpec
from manager.core.ca.signer import Signer
from manager.ports.issuer import Root
from protos.identity.certificates import (
    Identity,
    Role,
    is_authority,
    is_issued_by,
    key_of_request,
    load_certificate,
    load_chain,
    to_der,
    to_pem,
)
from protos.identity.errors import BadCertificate
from protos.identity.keys import key_to_pem, new_key
from protos.identity.tokens import new_join_token, root_digest

ROOT_NAME = "swarm-ca"
_BACKDATE = timedelta(hours=1)
_ROOT_LIFE = timedelta(days=20 * 365)
_SHORTEST_ROOT_LIFE = timedelta(days=365)
_SHORTEST_LIFE = timedelta(hours=1)
_NS_PER_US = 1000


def _now() -> datetime:
    return datetime.now(UTC)


class LocalIssuer:
    """The Issuer. now is the time of day, which certificates are about."""

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        self._now = now

    def new_root(self) -> Root:
        """Return a fresh root, valid for 20 years."""
        key = new_key()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ROOT_NAME)])
        now = self._now()
        builder = _authority(name, key.public_key(), now - _BACKDATE, now + _ROOT_LIFE)
        certificate = builder.issuer_name(name).sign(key, hashes.SHA256())
        return Root(to_pem(certificate).decode(), key_to_pem(key).decode())

    def checked_root(self, certificate: str, key: str) -> Root:
        """Return a root that users gave, normalised. Errors: InvalidSpec."""
        try:
            found = load_chain(certificate.encode())
        except BadCertificate as cause:
            raise InvalidSpec("the CA certificate is not a certificate in PEM form") from cause
        if len(found) > 1:
            raise InvalidSpec("the desired CA certificate cannot contain multiple certificates")
        root = found[0]
        if not is_authority(root) or not is_issued_by(root, root):
            raise InvalidSpec("the CA certificate is not a self-signed authority's")
        if root.not_valid_after_utc < self._now() + _SHORTEST_ROOT_LIFE:
            raise InvalidSpec("CA certificate expires too soon: it must last for a year at least")
        if key and _signing_key(key).public_key() != root.public_key():
            raise InvalidSpec("the signing CA key is not that of the signing CA certificate")
        return Root(to_pem(root).decode(), key)

    def cross_sign(self, new: str, old: Root) -> str:
        """Return a certificate for the new root's name and key, signed by the old root."""
        certificate, signer = (
            load_certificate(new.encode()),
            load_certificate(old.certificate.encode()),
        )
        builder = _authority(
            certificate.subject,
            certificate.public_key(),
            self._now() - _BACKDATE,
            min(certificate.not_valid_after_utc, signer.not_valid_after_utc),
        )
        return to_pem(_signed(builder, signer, old.key)).decode()

    def issue(self, signer: Signer, request: bytes, identity: Identity, life_ns: int) -> bytes:
        """Return the PEM chain of a new certificate for the request's key and this identity."""
        root = load_certificate(signer.certificate.encode())
        key = key_of_request(request)
        now = self._now()
        life = max(timedelta(microseconds=life_ns // _NS_PER_US), _SHORTEST_LIFE)
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if identity.role is Role.MANAGER:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        names = [x509.DNSName(identity.role), x509.DNSName(identity.node_id)]
        builder = (
            _builder(identity.subject(), key, now - _BACKDATE, _end(now, life, root))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
        )
        return to_pem(_signed(builder, root, signer.key)) + signer.cross_signed.encode()

    def digest(self, certificate: str) -> str:
        """Return a root's SHA-256 as hexadecimal digits, as tokens carry it."""
        return root_digest(to_der(load_certificate(certificate.encode()))).hex()

    def new_token(self, certificate: str) -> str:
        """Return a join token with a fresh secret for the root."""
        return new_join_token(to_der(load_certificate(certificate.encode()))).text()

    def has_issued(self, certificate: str, chain: bytes) -> bool:
        """Tell whether the root's key signed the first certificate of the chain."""
        return is_issued_by(load_certificate(chain), load_certificate(certificate.encode()))


def _end(now: datetime, life: timedelta, root: x509.Certificate) -> datetime:
    try:
        return min(now + life, root.not_valid_after_utc)
    except OverflowError:
        return root.not_valid_after_utc


def _authority(
    name: x509.Name, key: CertificatePublicKeyTypes, first: datetime, last: datetime
) -> x509.CertificateBuilder:
    return (
        _builder(name, key, first, last)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key),
            critical=False,
        )
    )


def _builder(
    subject: x509.Name, key: CertificatePublicKeyTypes, first: datetime, last: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(last)
    )


def _signed(
    builder: x509.CertificateBuilder, issuer: x509.Certificate, key: str
) -> x509.Certificate:
    """Return the certificate, naming the issuer's key: two roots may have one name."""
    return (
        builder.issuer_name(issuer.subject)
        .add_extension(_key_identifier(issuer), critical=False)
        .sign(_signing_key(key), hashes.SHA256())
    )


def _key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        found = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(
            issuer.public_key()  # type: ignore[arg-type]  # a key that `checked_root` let in
        )
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found.value)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _signing_key(pem: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError):
        raise InvalidSpec("the signing CA key is not an unencrypted private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise InvalidSpec("the signing CA key must be an ECDSA or RSA key")
    return key
