"""Root rotation: from the root that all nodes trust to the next one, with no node left behind.

    steady ──begin──▶ rotating ──all nodes renewed──▶ steady, under the new root and new tokens
                      │  ▲
                      │  └── begin: another root takes the place of the one that was to come
                      └───── take back: the present root was asked for, nodes renew back to it

While rotating the new root signs; whoever trusts only the present one believes it by the
cross-signed certificate. So a node that was away comes back with its old certificate, and renews.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from msgspec.structs import replace

from api.cluster_errors import InvalidSpec
from api.types.swarm import CAConfig, ExternalCA
from manager.core.ca.signer import authorities_of, is_same, signer_of
from manager.core.objects.cluster import RootCA, RootRotation
from manager.core.objects.node import IssuanceState, Node


@dataclass(frozen=True, slots=True)
class Keep:
    """The root, or the rotation under way, is what is wanted."""


@dataclass(frozen=True, slots=True)
class TakeBack:
    """The present root stays, a rotation ends; key signs for it from now on."""

    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class GoOn:
    """The rotation under way leads where it should; key signs from now on."""

    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Begin:
    """A rotation begins, or begins anew: to the root given, to a fresh one for None."""

    certificate: str | None = None
    key: str = field(default="", repr=False)


Plan: TypeAlias = Keep | TakeBack | GoOn | Begin


def plan(root: RootCA, wanted: CAConfig) -> Plan:
    """Return what a spec asks for; its certificates are normalised and checked already.

    A certificate that is there already keeps its key where none comes along: so a spec that was
    read and sent back, which shows no keys, changes nothing.
    Errors:  InvalidSpec when nobody could sign for the root that is wanted.
    """
    certificate, key = wanted.SigningCACert, wanted.SigningCAKey
    if not certificate and wanted.ForceRotate != root.last_forced:
        return Begin()
    if not certificate:
        signer = signer_of(root)
        which = "current" if root.rotation is None else "next"
        _check_signs(signer.certificate, signer.key, which, root, wanted.ExternalCAs)
        return Keep()
    decided = _towards(certificate, key, root)
    _check_signs(certificate, _key_of(decided, root), "desired", root, wanted.ExternalCAs)
    return decided


def _towards(certificate: str, key: str, root: RootCA) -> Plan:
    if is_same(certificate, root.certificate):
        is_there = root.rotation is None and key in ("", root.key)
        return Keep() if is_there else TakeBack(key or root.key)
    following = root.rotation
    if following is not None and is_same(certificate, following.certificate):
        return Keep() if key in ("", following.key) else GoOn(key)
    return Begin(certificate, key)


def _key_of(decided: Plan, root: RootCA) -> str:
    return signer_of(root).key if isinstance(decided, Keep) else decided.key


def _check_signs(
    certificate: str, key: str, which: str, root: RootCA, external: list[ExternalCA]
) -> None:
    if not key and not authorities_of(certificate, external, root.certificate):
        raise InvalidSpec(
            "there must be at least one valid, reachable external CA corresponding to the "
            f"{which} CA certificate"
        )


def begun(root: RootCA, certificate: str, key: str, cross_signed: str, forced: int) -> RootCA:
    """Return the authority in rotation to a new root. Tokens stay until it is finished."""
    rotation = RootRotation(certificate=certificate, key=key, cross_signed=cross_signed)
    return replace(root, rotation=rotation, last_forced=forced)


def taken_back(root: RootCA, key: str, forced: int) -> RootCA:
    """Return the authority under its present root, with no rotation."""
    return replace(root, key=key, rotation=None, last_forced=forced)


def gone_on(root: RootCA, key: str, forced: int) -> RootCA:
    """Return the authority in the same rotation, signing by another key."""
    assert root.rotation is not None
    return replace(root, rotation=replace(root.rotation, key=key), last_forced=forced)


def finished(root: RootCA, digest: str) -> RootCA:
    """Return the authority under the root that was to come, still without tokens that pin it."""
    assert root.rotation is not None
    following = root.rotation
    return RootCA(
        certificate=following.certificate,
        key=following.key,
        digest=digest,
        last_forced=root.last_forced,
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """Nodes with certificates of another root than the one that signs.

    to_ask:   they have to be asked to renew.
    waiting:  they have not shown themselves with a new certificate yet; to_ask are among them.
    """

    to_ask: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


def progress(
    nodes: Iterable[Node], issuer_key: bytes, is_issued: Callable[[Node], bool]
) -> Progress:
    """Return how far nodes are on the way to the root with this public key (DER).

    is_issued:  tells whether that root signed the certificate that a node was given last. It is
    enough for nodes that never told what they hold; others may not have kept what they were given.
    """
    to_ask, waiting = [], []
    for node in nodes:
        told = node.description.TLSInfo.CertIssuerPublicKey
        if told == issuer_key:
            continue
        is_given = is_issued(node)
        if not told and is_given:
            continue
        waiting.append(node.id)
        if not is_given and node.certificate.state is not IssuanceState.RENEW:
            to_ask.append(node.id)
    return Progress(tuple(to_ask), tuple(waiting))


def asked(node: Node) -> Node:
    """Return the node as one that is asked to renew its certificate."""
    return replace(node, certificate=replace(node.certificate, state=IssuanceState.RENEW))
