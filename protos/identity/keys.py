"""Private keys: ECDSA on P-256, in PEM, encrypted or not."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from protos.identity.errors import UnusableKey

_CURVE = ec.SECP256R1()


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a fresh key."""
    return ec.generate_private_key(_CURVE)


def key_to_pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> bytes:
    """Return the key as PKCS#8, encrypted where there is a passphrase."""
    sealing: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        sealing = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealing)


def key_from_pem(pem: bytes, passphrase: bytes | None = None) -> ec.EllipticCurvePrivateKey:
    """Return the key; UnusableKey, without a byte of it, where that fails."""
    try:
        key = serialization.load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UnusableKey("the private key is not PEM, or is sealed by another key") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise UnusableKey("the private key is not an elliptic curve key")
    return key


def is_sealed(pem: bytes) -> bool:
    """Tell whether reading the key needs a passphrase."""
    return b"ENCRYPTED PRIVATE KEY" in pem


def public_bytes(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return the public key as DER, the form in which keys are compared."""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
