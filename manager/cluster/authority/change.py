"""Make the authority what a spec asks for: founded at an init, rotated by an update."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from api.types.swarm import CAConfig
from manager.core.ca.rotation import (
    Begin,
    GoOn,
    Keep,
    TakeBack,
    begun,
    finished,
    gone_on,
    plan,
    taken_back,
)
from manager.core.ca.signer import authorities_of
from manager.core.objects.cluster import RootCA
from manager.ports.issuer import ExternalIssuer, Issuer, Root


def founded(issuer: Issuer, config: CAConfig) -> RootCA:
    """Return the authority of a new cluster: a fresh root, or the one that the spec gives.

    The root of an authority elsewhere is the one that it names as CACert, where no other is given.
    Errors:  InvalidSpec, also when nobody could sign for a root that came without its key.
    """
    config = normalised(issuer, config)
    named = [each.CACert for each in config.ExternalCAs if each.CACert]
    certificate = config.SigningCACert or (named[0] if named else "")
    root = Root(certificate, config.SigningCAKey) if certificate else issuer.new_root()
    authority = RootCA(
        certificate=root.certificate,
        key=root.key,
        digest=issuer.digest(root.certificate),
        last_forced=config.ForceRotate,
    )
    plan(authority, without_signer(config))
    return with_new_tokens(issuer, authority)


def with_new_tokens(
    issuer: Issuer, root: RootCA, *, worker: bool = True, manager: bool = True
) -> RootCA:
    """Return the authority with fresh tokens; the old ones are void."""
    if worker:
        root = replace(root, worker_token=issuer.new_token(root.certificate))
    if manager:
        root = replace(root, manager_token=issuer.new_token(root.certificate))
    return root


def normalised(issuer: Issuer, config: CAConfig) -> CAConfig:
    """Return the spec with its certificates checked, and in the form they are compared in.

    Errors:  InvalidSpec.
    """
    external = [
        replace(each, CACert=issuer.checked_root(each.CACert, "").certificate)
        if each.CACert.strip()
        else each
        for each in config.ExternalCAs
    ]
    if not config.SigningCACert.strip():
        return replace(config, ExternalCAs=external, SigningCACert="", SigningCAKey="")
    root = issuer.checked_root(config.SigningCACert, config.SigningCAKey)
    return replace(
        config, ExternalCAs=external, SigningCACert=root.certificate, SigningCAKey=root.key
    )


def without_signer(config: CAConfig) -> CAConfig:
    """Return the spec as it is kept: what signs is in the cluster's root, and there alone."""
    return replace(config, SigningCACert="", SigningCAKey="")


async def changed(
    issuer: Issuer, external: ExternalIssuer, root: RootCA, config: CAConfig
) -> RootCA:
    """Return the authority as a normalised spec wants it; a rotation has begun where it must.

    May wait for authorities elsewhere, so it is called before the transaction, which has to make
    sure that the authority is still `root`.
    Errors:  InvalidSpec; ExternalIssuerFailed.
    """
    decided = plan(root, config)
    match decided:
        case Keep():
            return replace(root, last_forced=config.ForceRotate)
        case TakeBack(key=key):
            return taken_back(root, key, config.ForceRotate)
        case GoOn(key=key):
            return gone_on(root, key, config.ForceRotate)
        case Begin(certificate=certificate, key=key):
            new = issuer.new_root() if certificate is None else Root(certificate, key)
            bridge = await _bridge(issuer, external, root, config, new.certificate)
            return begun(root, new.certificate, new.key, bridge, config.ForceRotate)
        case _:
            assert_never(decided)


def completed(issuer: Issuer, root: RootCA) -> RootCA:
    """Return the authority after its rotation: under the new root, with tokens that pin it."""
    assert root.rotation is not None
    return with_new_tokens(issuer, finished(root, issuer.digest(root.rotation.certificate)))


async def _bridge(
    issuer: Issuer, external: ExternalIssuer, root: RootCA, config: CAConfig, new: str
) -> str:
    """Return the new root as the present one vouches for it."""
    if root.key:
        return issuer.cross_sign(new, Root(root.certificate, root.key))
    authorities = authorities_of(root.certificate, config.ExternalCAs, root.certificate)
    return await external.cross_sign(authorities, new, root)
