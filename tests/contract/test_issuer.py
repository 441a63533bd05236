"""Certificates by the cluster's own key: whose, for how long, and what a request cannot get."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from api.cluster_errors import InvalidSpec
from manager.adapters.issuer import LocalIssuer
from manager.core.ca.signer import Signer
from manager.ports.issuer import Root
from protos.identity.certificates import (
    Identity,
    Role,
    identity_of,
    is_issued_by,
    load_certificate,
    load_chain,
    new_request,
    to_der,
)
from protos.identity.keys import key_to_pem, new_key, public_bytes
from protos.identity.tokens import parse_join_token, root_digest
from tests.authority import DAY, Authority, name

NOW = datetime(2030, 1, 1, tzinfo=UTC)
WORKER = Identity("node1", Role.WORKER, "cluster1")
MANAGER = Identity("node2", Role.MANAGER, "cluster1")
NINETY_DAYS_NS = 90 * 24 * 3600 * 10**9
HOUR = timedelta(hours=1)


@pytest.fixture
def issuer() -> LocalIssuer:
    """Lend an issuer whose clock stands."""
    return LocalIssuer(lambda: NOW)


def signer(root: Root) -> Signer:
    """Return a signer by the root itself."""
    return Signer(root.certificate, root.key)


def issued(issuer: LocalIssuer, identity: Identity, life_ns: int) -> x509.Certificate:
    """Return a certificate by a fresh root."""
    chain = issuer.issue(signer(issuer.new_root()), new_request(new_key()), identity, life_ns)
    return load_certificate(chain)


def test_root_lasts_twenty_years_and_is_a_signing_authority(issuer: LocalIssuer) -> None:
    root = load_certificate(issuer.new_root().certificate.encode())

    assert is_issued_by(root, root)
    assert NOW - HOUR == root.not_valid_before_utc
    assert 20 * 365 == (root.not_valid_after_utc - NOW).days
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value.ca


@pytest.mark.parametrize("identity", [WORKER, MANAGER])
def test_certificate_names_the_node_and_carries_its_key(
    issuer: LocalIssuer, identity: Identity
) -> None:
    root, key = issuer.new_root(), new_key()

    chain = issuer.issue(signer(root), new_request(key), identity, NINETY_DAYS_NS)

    certificate = load_certificate(chain)
    assert identity == identity_of(certificate)
    assert public_bytes(key.public_key()) == public_bytes_of(certificate)
    assert issuer.has_issued(root.certificate, chain)
    assert not issuer.has_issued(issuer.new_root().certificate, chain)
    assert [NOW - HOUR, NOW + 90 * DAY] == [
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    ]


def public_bytes_of(certificate: x509.Certificate) -> bytes:
    """Return a certificate's key as keys are compared."""
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return public_bytes(key)


def test_managers_alone_are_servers(issuer: LocalIssuer) -> None:
    """A stolen worker certificate cannot play a manager to other nodes."""
    worker, manager = (issued(issuer, each, NINETY_DAYS_NS) for each in (WORKER, MANAGER))

    assert [ExtendedKeyUsageOID.CLIENT_AUTH] == usages(worker)
    assert {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH} == {*usages(manager)}
    assert ["swarm-worker", "node1"] == names(worker)
    assert ["swarm-manager", "node2"] == names(manager)


def usages(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    """Return what a certificate may be used for."""
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def names(certificate: x509.Certificate) -> list[str]:
    """Return a certificate's DNS names."""
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return found.value.get_values_for_type(x509.DNSName)


def test_request_cannot_ask_for_a_role_a_node_or_an_authority(issuer: LocalIssuer) -> None:
    key = new_key()
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(MANAGER.subject())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("swarm-manager")]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )

    certificate = load_certificate(
        issuer.issue(signer(issuer.new_root()), request, WORKER, NINETY_DAYS_NS)
    )

    assert WORKER == identity_of(certificate)
    assert ["swarm-worker", "node1"] == names(certificate)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize(
    ("life_ns", "lasts"),
    [(0, HOUR), (3_600_000_000_000, HOUR), (2**63 - 1, None), (24 * 3600 * 10**9, DAY)],
)
def test_life_is_at_least_an_hour_and_ends_with_the_root(
    issuer: LocalIssuer, life_ns: int, lasts: timedelta | None
) -> None:
    root = issuer.new_root()
    chain = issuer.issue(signer(root), new_request(new_key()), WORKER, life_ns)

    end = load_certificate(root.certificate.encode()).not_valid_after_utc
    expected = end if lasts is None else NOW + lasts
    assert expected == load_certificate(chain).not_valid_after_utc


def test_cross_signed_root_bridges_old_and_new(issuer: LocalIssuer) -> None:
    old, new = issuer.new_root(), issuer.new_root()
    bridge = issuer.cross_sign(new.certificate, old)

    chain = issuer.issue(
        Signer(new.certificate, new.key, bridge), new_request(new_key()), WORKER, NINETY_DAYS_NS
    )

    leaf, middle = load_chain(chain)
    assert is_issued_by(leaf, middle)
    assert is_issued_by(middle, load_certificate(old.certificate.encode()))
    assert is_issued_by(leaf, load_certificate(new.certificate.encode()))


def test_token_pins_the_roots_digest(issuer: LocalIssuer) -> None:
    root = issuer.new_root()

    token = parse_join_token(issuer.new_token(root.certificate))

    digest = root_digest(to_der(load_certificate(root.certificate.encode())))
    assert digest == token.root_digest
    assert digest.hex() == issuer.digest(root.certificate)


def test_root_of_users_is_taken_as_it_is(issuer: LocalIssuer) -> None:
    given = issuer.new_root()

    assert given == issuer.checked_root(f"\n comment\n{given.certificate}", given.key)
    assert Root(given.certificate) == issuer.checked_root(given.certificate, "")


def test_rsa_roots_sign_too(issuer: LocalIssuer) -> None:
    key = rsa.generate_private_key(65537, 2048)
    root = issuer.checked_root(self_signed(key), pem_of(key))

    chain = issuer.issue(signer(root), new_request(new_key()), WORKER, NINETY_DAYS_NS)

    assert issuer.has_issued(root.certificate, chain)


def pem_of(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
    sealing: serialization.KeySerializationEncryption | None = None,
) -> str:
    """Return a private key in PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        sealing or serialization.NoEncryption(),
    ).decode()


def self_signed(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    *,
    is_authority: bool = True,
    life: timedelta = 800 * DAY,
) -> str:
    """Return a self-signed certificate of any kind in PEM."""
    builder = (
        x509.CertificateBuilder(name(CN="mine"), name(CN="mine"), key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + life)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def unusable_roots() -> dict[str, tuple[str, str]]:
    """Return pairs that must be refused, by the words that say why."""
    key, other = new_key(), new_key()
    good = self_signed(key)
    leaf = Authority().issue(WORKER).certificate.public_bytes(serialization.Encoding.PEM).decode()
    sealed = serialization.BestAvailableEncryption(b"x")
    return {
        "not a certificate in PEM": ("garbage", ""),
        "cannot contain multiple": (good + good, ""),
        "not a self-signed authority": (self_signed(key, is_authority=False), ""),
        "self-signed authority's": (leaf, ""),
        "expires too soon": (self_signed(key, life=300 * DAY), ""),
        "is not that of": (good, key_to_pem(other).decode()),
        "not an unencrypted private key": (good, pem_of(key, sealed)),
        "unencrypted private key in PEM": (good, "garbage"),
        "must be an ECDSA or RSA key": (good, pem_of(ed25519.Ed25519PrivateKey.generate())),
    }


@pytest.mark.parametrize(("words", "given"), unusable_roots().items(), ids=lambda each: each[:20])
def test_unusable_root_is_refused_and_says_why(
    issuer: LocalIssuer, words: str, given: tuple[str, str]
) -> None:
    with pytest.raises(InvalidSpec, match=words) as raised:
        issuer.checked_root(*given)

    assert "PRIVATE KEY-----" not in raised.value.message
