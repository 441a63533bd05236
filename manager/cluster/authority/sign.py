"""Have a certificate signed, by whoever signs for the cluster now."""

from __future__ import annotations

from api.types.swarm import CAConfig
from manager.core.ca.signer import authorities_of, signer_of, trusted_roots
from manager.core.objects.cluster import RootCA
from manager.core.swarm_spec import DEFAULT_CERTIFICATE_LIFE_NS
from manager.ports.issuer import ExternalIssuer, Issuer
from protos.identity.certificates import Identity


async def sign(
    issuer: Issuer,
    external: ExternalIssuer,
    root: RootCA,
    config: CAConfig,
    request: bytes,
    identity: Identity,
) -> bytes:
    """Return the PEM chain of a new certificate for the request's key and this identity.

    Authorities elsewhere come first where the spec names some for the signing root; the cluster's
    own key signs where it names none.
    Errors:  BadSigningRequest; ExternalIssuerFailed.
    """
    signer = signer_of(root)
    authorities = authorities_of(signer.certificate, config.ExternalCAs, root.certificate)
    if authorities or not signer.key:
        chain = await external.issue(authorities, signer.certificate, request, identity)
        return chain + signer.cross_signed.encode()
    life_ns = config.NodeCertExpiry or DEFAULT_CERTIFICATE_LIFE_NS
    return issuer.issue(signer, request, identity, life_ns)


def roots_pem(root: RootCA) -> bytes:
    """Return what nodes trust now, in PEM; the root that signs is the last one."""
    return "".join(trusted_roots(root)).encode()
