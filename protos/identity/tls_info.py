"""What the API shows of the authority that signs nodes' certificates."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.types.nodes import TLSInfo
from protos.identity.certificates import load_certificate


def tls_info(root_pem: bytes) -> TLSInfo:
    """Return the root as PEM, and its raw subject and public key (DER)."""
    root = load_certificate(root_pem)
    return TLSInfo(
        TrustRoot=root_pem.decode(),
        CertIssuerSubject=root.subject.public_bytes(),
        CertIssuerPublicKey=root.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        ),
    )
