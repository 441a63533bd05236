"""An authority for tests: issues whatever a test asks for, wrong things too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from protos.identity.certificates import MANAGER_NAME, Identity, Role, to_pem
from protos.identity.channels import Credentials
from protos.identity.keys import key_to_pem, new_key

_OIDS = {
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
}
DAY = timedelta(days=1)


def name(**parts: str) -> x509.Name:
    """Return a subject of O, OU and CN."""
    return x509.Name([x509.NameAttribute(_OIDS[key], value) for key, value in parts.items()])


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def credentials(self, *roots: x509.Certificate) -> Credentials:
        """Return what a peer with this certificate shows, trusting the roots."""
        return Credentials(to_pem(*roots), to_pem(self.certificate), key_to_pem(self.key))


class Authority:
    """A self-signed root."""

    def __init__(self, common_name: str = "root", starts_in: timedelta = -DAY) -> None:
        self.key = new_key()
        subject = name(CN=common_name)
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder(subject, subject, self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + starts_in)
            .not_valid_after(now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def issue(self, identity: Identity, valid_for: timedelta = DAY) -> Issued:
        """Return a node's certificate; valid_for below zero makes one that is expired."""
        return self.issue_to(identity.subject(), identity.role, valid_for)

    def issue_to(
        self, subject: x509.Name, role: str = Role.WORKER, valid_for: timedelta = DAY
    ) -> Issued:
        """Return a certificate for any subject."""
        key = new_key()
        now = datetime.now(UTC)
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        builder = (
            x509.CertificateBuilder(self.certificate.subject, subject, key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 10 * DAY)
            .not_valid_after(now + valid_for)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        )
        if role == Role.MANAGER:
            names = x509.SubjectAlternativeName([x509.DNSName(MANAGER_NAME)])
            builder = builder.add_extension(names, critical=False)
        return Issued(builder.sign(self.key, hashes.SHA256()), key)
