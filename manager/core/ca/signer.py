"""Which root signs now, and what goes along with what it signs."""

from __future__ import annotations

from dataclasses import dataclass, field

from api.types.swarm import ExternalCA
from manager.core.objects.cluster import RootCA


@dataclass(frozen=True, slots=True)
class Signer:
    """A root that signs. Texts are PEM.

    key is "" where authorities elsewhere sign. cross_signed, during a rotation, is this root as
    the one before it vouches for it: whoever trusts only that one needs it beside a certificate.
    """

    certificate: str
    key: str = field(repr=False)
    cross_signed: str = ""


def signer_of(root: RootCA) -> Signer:
    """Return who signs now: the root that is to come, from the first moment of a rotation."""
    if root.rotation is not None:
        following = root.rotation
        return Signer(following.certificate, following.key, following.cross_signed)
    return Signer(root.certificate, root.key)


def trusted_roots(root: RootCA) -> tuple[str, ...]:
    """Return the roots that all nodes trust now: the present one, and the one that is to come."""
    if root.rotation is not None:
        return root.certificate, root.rotation.certificate
    return (root.certificate,)


def is_same(one: str, other: str) -> bool:
    """Tell whether two PEM texts are the same; line ends do not count."""
    return "".join(one.split()) == "".join(other.split())


def authorities_of(certificate: str, external: list[ExternalCA], current: str) -> list[ExternalCA]:
    """Return the authorities elsewhere that sign for a root.

    One that names no certificate signs for the cluster's current root.
    """
    return [each for each in external if is_same(each.CACert.strip() or current, certificate)]
