"""The right to join: a small authority that whoever holds a token's secret can make.

A joining node has no certificate yet, and managers talk to no peer without one. So the secret is
turned into a key (HKDF), the key into an authority, and both sides make it: managers trust it,
the node issues itself a certificate with it. Who has no valid token ends in the handshake, and the
secret itself travels only to a manager whose root was checked. Dates are as wide as they can be:
the token is what expires, by being rotated, and a node's clock may be wrong.
"""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from protos.identity.certificates import Role, to_pem
from protos.identity.channels import Credentials
from protos.identity.keys import key_to_pem, new_key
from protos.identity.tokens import JoinToken

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SEED_BYTES = 48  # 128 bits more than the order, so that the remainder is not biased
_FIRST_DAY = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
_LAST_DAY = datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC)


def join_authority(token: JoinToken) -> x509.Certificate:
    """Return the authority that managers trust as long as the token is valid."""
    return _authority(_derived_key(token))


def join_credentials(token: JoinToken, root_pem: bytes) -> Credentials:
    """Return what a node joins with: a certificate of the token, trust in the root alone."""
    signer = _derived_key(token)
    authority = _authority(signer)
    key = new_key()
    certificate = (
        _builder(_name("joining node"), authority.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
        .sign(signer, hashes.SHA256())
    )
    return Credentials(roots=root_pem, chain=to_pem(certificate), key=key_to_pem(key))


def _derived_key(token: JoinToken) -> ec.EllipticCurvePrivateKey:
    seed = HKDF(hashes.SHA256(), _SEED_BYTES, salt=None, info=b"skep join authority 1")
    number = int.from_bytes(seed.derive(token.secret.encode()))
    return ec.derive_private_key(number % (_P256_ORDER - 1) + 1, ec.SECP256R1())


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Return the certificate of the derived key.

    Its name holds the key's fingerprint: tokens that follow each other never share a name.
    """
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    name = _name(identifier.digest.hex())
    return (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FIRST_DAY)
        .not_valid_after(_LAST_DAY)
    )


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, Role.JOIN),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
