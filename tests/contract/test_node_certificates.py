"""A node's certificate from its join on: got, renewed, sealed; crashes and clocks do no harm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from agent.adapters.certificate_files import DiskCertificates
from agent.certificates import NodeCertificates
from api.errors import Forbidden, Internal, Unavailable
from api.swarm_errors import (
    FingerprintMismatch,
    InvalidJoinToken,
    InvalidUnlockKey,
    MalformedJoinToken,
    ManagerNotReady,
)
from api.types.nodes import NodeRole
from manager.adapters.keys import Keys
from protos.identity.certificate_files import CertificateFiles
from protos.identity.certificates import Role, load_certificate
from protos.identity.errors import BadCertificate
from protos.identity.tls_info import tls_info
from protos.identity.tokens import new_unlock_key, unlock_key_text
from tests.fakes.authority import HOUR_NS, FakeAuthority
from tests.fakes.clock import FakeClock

MANAGERS = ("m1:2377", "m2:2377")
DAY_S = 24 * 3600.0


class Bed:
    """A node's directory, its cluster's authority, and the time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock()
        self.authority = FakeAuthority(self.clock.now_ns())
        self.unlock_key = new_unlock_key()
        self.is_serving = True

    def node(self) -> NodeCertificates:
        """Return the certificates of a daemon that starts."""
        store = DiskCertificates(self.directory)
        return NodeCertificates(store, self.authority, self.ask_unlock_key, self.clock, lambda: 0.0)

    async def ask_unlock_key(self) -> str:
        """Answer as the local manager does."""
        if not self.is_serving:
            raise ManagerNotReady
        return unlock_key_text(self.unlock_key)

    async def joined(self) -> NodeCertificates:
        """Return those of a node that has joined."""
        node = self.node()
        await node.join(MANAGERS, self.authority.token, "active")
        return node

    async def restarted(self) -> NodeCertificates:
        """Return what a daemon knows after its restart."""
        node = self.node()
        await node.load()
        return node

    def manager_keys(self, unlock_key: bytes | None = None) -> Keys:
        """Have the local manager make its keys."""
        keys = Keys(self.directory, lambda: 0.0)
        keys.create(unlock_key)
        return keys


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    """Lend a node that is in no swarm."""
    return Bed(tmp_path)


@asynccontextmanager
async def kept(node: NodeCertificates) -> AsyncIterator[None]:
    """Keep the certificate meanwhile."""
    task = asyncio.create_task(node.keep(lambda: MANAGERS))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()


async def until(node: NodeCertificates, condition: Callable[[], bool]) -> None:
    """Wait for a change of the certificate."""
    async with asyncio.timeout(10):
        while not condition():
            await node.changed()


async def test_node_without_a_swarm_shows_nothing(bed: Bed) -> None:
    node = await bed.restarted()

    assert ("", None, None) == (node.node_id, node.role, node.credentials)
    assert not node.is_expired
    assert "" == node.tls_info().TrustRoot


async def test_join_gives_a_certificate_that_outlives_the_daemon(bed: Bed) -> None:
    node = await bed.joined()
    again = await bed.restarted()

    assert ("node1", NodeRole.WORKER) == (again.node_id, again.role)
    assert node.credentials == again.credentials
    assert ("active", bed.authority.token) == (
        bed.authority.asked[0].availability,
        bed.authority.asked[0].token,
    )
    told = again.tls_info()
    assert bed.authority.root.certificate == told.TrustRoot
    assert load_certificate(told.TrustRoot.encode()).subject.public_bytes() == (
        told.CertIssuerSubject
    )


async def test_manager_that_is_away_is_left_for_the_next(bed: Bed) -> None:
    bed.authority.dead.add("m1:2377")

    await bed.joined()

    assert "m2:2377" == bed.authority.asked[-1].address


async def test_join_without_any_manager_is_unavailable(bed: Bed) -> None:
    bed.authority.dead.update(MANAGERS)

    with pytest.raises(Unavailable, match="does not answer"):
        await bed.joined()


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("garbage", MalformedJoinToken),
        (f"SWMTKN-1-{'1' * 50}-{'1' * 25}", FingerprintMismatch),
    ],
)
async def test_wrong_token_is_refused_and_leaves_no_certificate(
    bed: Bed, token: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await bed.node().join(MANAGERS, token, "")

    assert (await bed.restarted()).role is None


async def test_rotated_token_is_refused(bed: Bed) -> None:
    old = bed.authority.token
    bed.authority.token = bed.authority.issuer.new_token(bed.authority.root.certificate)

    with pytest.raises(InvalidJoinToken):
        await bed.node().join(MANAGERS, old, "")


async def test_join_tried_again_after_a_crash_is_the_same_request(bed: Bed) -> None:
    """The managers know by it that they admitted this node already."""
    bed.authority.refusing = {address: Unavailable("lost") for address in MANAGERS}
    with pytest.raises(Unavailable):
        await bed.joined()
    first = bed.node()
    bed.authority.refusing = {}
    with pytest.raises(Unavailable):
        await lost_answer(bed, first)

    await bed.joined()

    assert 1 == len({asked.request for asked in bed.authority.asked})


async def lost_answer(bed: Bed, node: NodeCertificates) -> None:
    """Have the managers sign, and the answer get lost."""
    issue = bed.authority.issue
    bed.authority.issue = lose  # type: ignore[assignment,method-assign]
    try:
        await node.join(MANAGERS, bed.authority.token, "")
    finally:
        bed.authority.issue = issue  # type: ignore[method-assign]


async def lose(*_: object) -> None:
    """Break the connection."""
    raise Unavailable("lost")


async def test_certificate_is_renewed_at_half_its_life(bed: Bed) -> None:
    node = await bed.joined()
    first = node.credentials
    async with kept(node):
        bed.clock.advance(49 * DAY_S)
        await settle()
        assert first == node.credentials

        bed.clock.advance(2 * DAY_S)
        bed.authority.now += timedelta(days=51)
        await advanced_until(bed, lambda: node.credentials != first)

    assert node.credentials == (await bed.restarted()).credentials
    assert first is not None
    assert first.key != node.credentials.key  # type: ignore[union-attr]


async def settle() -> None:
    """Let tasks run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_certificate_that_is_due_as_it_comes_is_not_asked_for_in_a_loop(bed: Bed) -> None:
    """The managers' clock stands half a certificate's life behind the node's."""
    node = await bed.joined()
    async with kept(node):
        bed.clock.advance(51 * DAY_S)
        await advanced_until(bed, lambda: len(bed.authority.asked) == 2)
        await settle()
        before_s = bed.clock.now_ns() / 1e9
        await advanced_until(bed, lambda: len(bed.authority.asked) == 3)

    assert bed.clock.now_ns() / 1e9 - before_s >= 25


async def test_failed_renewal_is_tried_again_and_the_old_certificate_stays(bed: Bed) -> None:
    node = await bed.joined()
    first = node.credentials
    bed.authority.dead.update(MANAGERS)
    async with kept(node):
        bed.authority.came.clear()
        bed.clock.advance(60 * DAY_S)
        await bed.authority.came.wait()
        await settle()
        assert first == node.credentials

        bed.authority.dead.clear()
        await advanced_until(bed, lambda: node.credentials != first)


async def advanced_until(bed: Bed, condition: Callable[[], bool]) -> None:
    """Let time pass in steps until the condition holds."""
    async with asyncio.timeout(10):
        while not condition():
            bed.clock.advance(5)
            await asyncio.sleep(0.001)


async def test_wanted_renewal_brings_the_role_of_now(bed: Bed) -> None:
    node = await bed.joined()
    bed.authority.role = Role.MANAGER
    async with kept(node):
        node.want()
        await until(node, lambda: node.role is NodeRole.MANAGER)

    assert NodeRole.MANAGER is (await bed.restarted()).role


async def test_clock_that_jumps_ahead_and_back_does_no_harm(bed: Bed) -> None:
    node = await bed.joined()
    first = node.credentials
    bed.authority.dead.update(MANAGERS)  # nobody's certificate is valid at such a time
    async with kept(node):
        bed.clock.advance(3650 * DAY_S)
        assert node.is_expired
        bed.clock.advance(-3650 * DAY_S)
        assert not node.is_expired
        bed.authority.dead.clear()
        await advanced_until(bed, lambda: bed.authority.asked != [])
    assert node.credentials is not None
    assert first is not None
    assert node.node_id == "node1"


async def test_clock_far_in_the_past_keeps_the_certificate(bed: Bed) -> None:
    node = await bed.joined()
    first = node.credentials
    async with kept(node):
        bed.clock.advance(-3650 * DAY_S)
        await settle()

        assert first == node.credentials
        assert not node.is_expired


async def test_expired_certificate_is_told(bed: Bed) -> None:
    node = await bed.joined()

    bed.clock.advance(101 * DAY_S)

    assert node.is_expired


@pytest.mark.parametrize("what", ["node", "key", "root"])
async def test_answer_that_does_not_fit_is_not_taken_over(bed: Bed, what: str) -> None:
    node = await bed.joined()
    first = node.credentials
    match what:
        case "node":
            bed.authority.node_id = "node2"
        case "root":
            bed.authority.root = bed.authority.issuer.new_root()
        case "key":
            issue, other = bed.authority.issue, bed.authority.asked[0].request

            async def swapped(address: str, *arguments: object) -> object:
                return await issue(address, first, other)  # type: ignore[arg-type]

            bed.authority.issue = swapped  # type: ignore[assignment,method-assign]
    async with kept(node):
        node.want()
        await advanced_until(bed, lambda: len(bed.authority.asked) > 2)

    assert first == node.credentials == (await bed.restarted()).credentials


async def test_roots_are_trusted_as_told_and_a_going_one_is_left(bed: Bed) -> None:
    """While a root is rotated both are told, the one that signs last."""
    node = await bed.joined()
    following = bed.authority.issuer.new_root()
    both = bed.authority.roots + following.certificate.encode()
    bed.authority.root, bed.authority.roots = following, both
    async with kept(node):
        await node.trust(both)
        assert node.credentials is not None
        assert both == node.credentials.roots
        await until(
            node,
            lambda: following.certificate.encode() in tls_issuer(node),
        )
        await node.trust(following.certificate.encode())

    again = await bed.restarted()
    assert following.certificate == again.tls_info().TrustRoot


def tls_issuer(node: NodeCertificates) -> bytes:
    """Return the root that signed a node's certificate, PEM."""
    told = node.tls_info()
    for root in told.TrustRoot.split("-----END CERTIFICATE-----\n"):
        pem = f"{root}-----END CERTIFICATE-----\n".encode()
        if root.strip() and key_of(pem) == told.CertIssuerPublicKey:
            return pem
    return b""


def key_of(pem: bytes) -> bytes:
    """Return a certificate's public key, DER."""
    return tls_info(pem).CertIssuerPublicKey


async def test_issuer_is_told_also_when_its_root_is_trusted_no_more(bed: Bed) -> None:
    """Managers wait for nodes that tell of another root; for silent ones they do not."""
    old, dropped, next_one = bed.authority.root, *(bed.authority.issuer.new_root() for _ in "ab")
    bed.authority.root = dropped
    bed.authority.bridge = bed.authority.issuer.cross_sign(dropped.certificate, old)
    bed.authority.roots += dropped.certificate.encode()
    bed.authority.token = bed.authority.issuer.new_token(old.certificate)
    node = await bed.joined()

    await node.trust((old.certificate + next_one.certificate).encode())

    assert key_of(dropped.certificate.encode()) == node.tls_info().CertIssuerPublicKey


async def test_roots_that_are_none_are_refused(bed: Bed) -> None:
    node = await bed.joined()
    first = node.credentials

    with pytest.raises(BadCertificate):
        await node.trust(b"garbage")

    assert first == node.credentials == (await bed.restarted()).credentials


async def test_managers_key_is_sealed_and_opens_again_by_itself(bed: Bed) -> None:
    bed.authority.role = Role.MANAGER
    node = await bed.joined()
    async with kept(node):
        bed.manager_keys()
        await advanced_until(bed, lambda: is_sealed(bed))

    assert node.credentials == (await bed.restarted()).credentials


def is_sealed(bed: Bed) -> bool:
    """Tell whether the key on disk is sealed."""
    return b"ENCRYPTED" in (bed.directory / "certificates" / "node.key").read_bytes()


async def test_locked_managers_key_opens_by_the_unlock_key_alone(bed: Bed) -> None:
    bed.authority.role = Role.MANAGER
    node = await bed.joined()
    async with kept(node):
        bed.manager_keys(bed.unlock_key)
        await advanced_until(bed, lambda: is_sealed(bed))

    again = await bed.restarted()
    assert NodeRole.MANAGER is again.role
    assert again.credentials is None
    with pytest.raises(InvalidUnlockKey):
        await again.unlock(unlock_key_text(new_unlock_key()))
    await again.unlock(unlock_key_text(bed.unlock_key))
    assert node.credentials == again.credentials


async def test_locked_key_opens_as_soon_as_the_local_manager_serves(bed: Bed) -> None:
    """A cluster that locks from its beginning: the manager has sealed the key by itself."""
    bed.authority.role = Role.MANAGER
    node = await bed.joined()
    keys = bed.manager_keys(bed.unlock_key)
    CertificateFiles(bed.directory).seal(None, keys.ring.node_key)
    bed.is_serving = False

    again = await bed.restarted()
    async with kept(again):
        await settle()
        assert again.credentials is None
        bed.is_serving = True
        await advanced_until(bed, lambda: again.credentials is not None)

    assert node.credentials == again.credentials


async def test_renewed_key_of_a_manager_is_sealed_too(bed: Bed) -> None:
    bed.authority.role = Role.MANAGER
    node = await bed.joined()
    bed.manager_keys(bed.unlock_key)
    async with kept(node):
        await advanced_until(bed, lambda: is_sealed(bed))
        first = node.credentials
        node.want()
        await until(node, lambda: node.credentials != first)

        assert is_sealed(bed)


async def test_node_that_is_no_manager_any_more_keeps_its_key_open(bed: Bed) -> None:
    bed.authority.role = Role.MANAGER
    node = await bed.joined()
    bed.manager_keys(bed.unlock_key)
    async with kept(node):
        await advanced_until(bed, lambda: is_sealed(bed))
        await node.release()
        (bed.directory / "keys.json").unlink()

    assert node.credentials == (await bed.restarted()).credentials


@pytest.mark.parametrize("name", ["node.key", "node.crt", "root.crt"])
async def test_damaged_certificate_says_what_to_do(bed: Bed, name: str) -> None:
    await bed.joined()
    (bed.directory / "certificates" / name).write_bytes(b"\0" * 64)

    with pytest.raises(Internal, match=r"damaged.*leave"):
        await bed.restarted()


async def test_removed_node_is_told_by_the_managers(bed: Bed) -> None:
    node = await bed.joined()
    first = node.credentials
    bed.authority.refusing = {address: Forbidden("node1 was removed") for address in MANAGERS}
    async with kept(node):
        node.want()
        await advanced_until(bed, lambda: len(bed.authority.asked) > 1)

    assert first == node.credentials


def test_hours_are_hours() -> None:
    assert 3_600_000_000_000 == HOUR_NS
