"""Who a certificate names, and what a signing request may say: its key, nothing else."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from protos.identity.certificates import (
    Identity,
    Role,
    identity_of,
    is_issued_by,
    key_of_request,
    load_chain,
    new_request,
    to_pem,
)
from protos.identity.errors import BadCertificate, BadSigningRequest, UnusableKey
from protos.identity.keys import is_sealed, key_from_pem, key_to_pem, new_key, public_bytes
from tests.authority import Authority, name

WORKER = Identity("node1", Role.WORKER, "cluster1")


def test_identity_is_read_from_the_subject() -> None:
    assert WORKER == identity_of(Authority().issue(WORKER).certificate)


@pytest.mark.parametrize(
    "subject",
    [
        name(O="c", CN="n"),
        name(O="c", OU="admin", CN="n"),
        name(O="c", OU="swarm-join", CN="n"),
        name(O="c", OU="swarm-manager"),
        name(OU="swarm-manager", CN="n"),
        x509.Name([]),
    ],
)
def test_subject_that_names_no_node_is_refused(subject: x509.Name) -> None:
    certificate = Authority().issue_to(subject).certificate

    with pytest.raises(BadCertificate):
        identity_of(certificate)


def test_two_roles_in_one_subject_are_refused() -> None:
    doubled = x509.Name(
        [*WORKER.subject(), x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, Role.MANAGER)]
    )

    with pytest.raises(BadCertificate):
        identity_of(Authority().issue_to(doubled).certificate)


def test_issuer_of_the_same_name_but_another_key_did_not_issue() -> None:
    mine, other = Authority("root"), Authority("root")

    certificate = mine.issue(WORKER).certificate

    assert is_issued_by(certificate, mine.certificate)
    assert not is_issued_by(certificate, other.certificate)


@pytest.mark.parametrize(
    "pem", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nAA==\n", b"A" * 300_000]
)
def test_what_is_no_certificate_is_refused(pem: bytes) -> None:
    with pytest.raises(BadCertificate):
        load_chain(pem)


def test_request_gives_its_key() -> None:
    key = new_key()

    asked = key_of_request(new_request(key))

    assert public_bytes(key.public_key()) == public_bytes(asked)


def test_request_signed_by_another_key_is_refused() -> None:
    """Whoever copies a node's public key cannot have it certified in a name of his own."""
    mine, other = new_request(new_key()), new_request(new_key())
    forged = x509.load_pem_x509_csr(mine).public_bytes(serialization.Encoding.DER)
    signature = x509.load_pem_x509_csr(mine).signature
    swapped = x509.load_pem_x509_csr(other).signature
    if len(signature) != len(swapped):
        swapped = bytes(len(signature))
    broken = x509.load_der_x509_csr(forged.replace(signature, swapped))

    with pytest.raises(BadSigningRequest):
        key_of_request(broken.public_bytes(serialization.Encoding.PEM))


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())]
)
def test_request_for_another_kind_of_key_is_refused(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
) -> None:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    with pytest.raises(BadSigningRequest):
        key_of_request(request)


@pytest.mark.parametrize(
    "pem", [b"", b"garbage", b"-----BEGIN CERTIFICATE REQUEST-----", b"A" * 20_000]
)
def test_what_is_no_request_is_refused(pem: bytes) -> None:
    with pytest.raises(BadSigningRequest):
        key_of_request(pem)


def test_key_is_read_back_with_its_passphrase_alone() -> None:
    key = new_key()
    sealed = key_to_pem(key, b"k" * 32)

    read = key_from_pem(sealed, b"k" * 32)

    assert is_sealed(sealed)
    assert key.private_numbers() == read.private_numbers()
    for passphrase in (None, b"wrong"):
        with pytest.raises(UnusableKey):
            key_from_pem(sealed, passphrase)


def test_certificates_are_written_one_after_another() -> None:
    first, second = Authority("a").certificate, Authority("b").certificate

    assert [first, second] == load_chain(to_pem(first, second))
