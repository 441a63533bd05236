"""The cluster's authority over real gRPC: who gets which certificate, and who gets none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from msgspec.structs import replace

from api.errors import Forbidden, InvalidArgument, Unauthenticated, Unavailable
from api.swarm_errors import FingerprintMismatch, InvalidJoinToken, NoLeader
from api.types.nodes import NodeRole
from manager.cluster.authority.issue import NotAMember
from manager.cluster.authority.status import NotYours
from manager.cluster.nodes.remove import remove_node
from manager.core.objects.node import Node
from manager.core.store.transaction import Transaction
from protos.errors import raised_here
from protos.identity.certificates import Identity, Role, identity_of, load_certificate, new_request
from protos.identity.channels import Credentials, open_channel
from protos.identity.errors import BadSigningRequest
from protos.identity.join import join_credentials
from protos.identity.keys import new_key
from protos.identity.tokens import new_join_token, parse_join_token, unlock_key_text
from protos.skep.v1 import ca_pb2 as wire
from protos.skep.v1.ca_pb2_grpc import CAStub
from tests.authority import Authority
from tests.rpc.authority_bed import Joiner, Managers, joiners, managers

CLUSTER = "c1"


@pytest_asyncio.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Managers]:
    """Lend a cluster of one manager."""
    async with managers(tmp_path) as lent:
        yield lent


@pytest_asyncio.fixture
async def node(cluster: Managers) -> AsyncIterator[Joiner]:
    """Lend a node that is in no cluster."""
    async with joiners(cluster, "n1") as (lent,):
        yield lent


async def issued(
    address: str, credentials: Credentials, request: wire.IssueNodeCertificateRequest
) -> wire.IssueNodeCertificateResponse:
    """Ask for a certificate as no agent would."""
    async with open_channel(address, credentials) as channel:
        with raised_here():
            answer: wire.IssueNodeCertificateResponse = await CAStub(channel).IssueNodeCertificate(
                request, timeout=10
            )
    return answer


def joining(cluster: Managers, token: str) -> Credentials:
    """Return what a joining node shows."""
    return join_credentials(parse_join_token(token), cluster.object.root.certificate.encode())


def asking(token: str = "", request: bytes | None = None) -> wire.IssueNodeCertificateRequest:
    """Return a request for a fresh key."""
    return wire.IssueNodeCertificateRequest(
        signing_request=request or new_request(new_key()), token=token
    )


@pytest.mark.parametrize("role", [NodeRole.WORKER, NodeRole.MANAGER])
async def test_token_makes_a_member_in_its_role(
    cluster: Managers, node: Joiner, role: NodeRole
) -> None:
    root = cluster.object.root
    token = root.worker_token if role is NodeRole.WORKER else root.manager_token

    await node.join(token)

    (member,) = cluster.members
    assert (node.certificates.node_id, role) == (member.id, member.role)
    assert (role.value, "active") == (member.spec.Role, member.spec.Availability)
    assert role is node.certificates.role


async def test_join_whose_answer_was_lost_is_the_same_node(cluster: Managers) -> None:
    token = cluster.object.root.worker_token
    request = asking(token)

    first = await issued(cluster.leader, joining(cluster, token), request)
    second = await issued(cluster.leader, joining(cluster, token), request)

    assert first.node_id == second.node_id
    assert 1 == len(cluster.members)


async def test_rotated_token_is_refused_and_makes_no_member(
    cluster: Managers, node: Joiner
) -> None:
    """A replay: in the handshake, and on a connection that was open before the rotation."""
    token = cluster.object.root.worker_token
    async with open_channel(cluster.leader, joining(cluster, token)) as channel:
        with raised_here():
            await CAStub(channel).GetRootCertificate(wire.GetRootCertificateRequest(), timeout=10)

        await cluster.rotate_tokens()

        with pytest.raises((Unauthenticated, InvalidJoinToken)), raised_here():
            await CAStub(channel).IssueNodeCertificate(asking(token), timeout=10)
    with pytest.raises(InvalidJoinToken):
        await node.join(token)
    assert [] == cluster.members


async def test_valid_connection_with_another_token_in_the_request_is_refused(
    cluster: Managers,
) -> None:
    root = cluster.object.root
    guessed = new_join_token(b"").text()

    for token in ("", guessed, root.worker_token[:-1]):
        with pytest.raises(InvalidJoinToken):
            await issued(cluster.leader, joining(cluster, root.worker_token), asking(token))
    assert [] == cluster.members


async def test_token_of_another_cluster_is_a_mismatch(cluster: Managers, node: Joiner) -> None:
    with pytest.raises(FingerprintMismatch):
        await node.join(new_join_token(b"another root").text())


async def test_request_that_names_a_manager_and_another_node_gets_neither(
    cluster: Managers,
) -> None:
    token = cluster.object.root.worker_token
    wanted = Identity("m1", Role.MANAGER, CLUSTER)
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(wanted.subject())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("swarm-manager")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(new_key(), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )

    answer = await issued(cluster.leader, joining(cluster, token), asking(token, request))

    certificate = load_certificate(answer.chain)
    assert Identity(answer.node_id, Role.WORKER, CLUSTER) == identity_of(certificate)
    assert "m1" != answer.node_id
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ["swarm-worker", answer.node_id] == names.get_values_for_type(x509.DNSName)


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1()), None]
)
async def test_unusable_request_is_refused_and_makes_no_member(
    cluster: Managers, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None
) -> None:
    token = cluster.object.root.worker_token
    request = b"garbage"
    if key is not None:
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        request = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    with pytest.raises(BadSigningRequest):
        await issued(cluster.leader, joining(cluster, token), asking(token, request))
    assert [] == cluster.members


async def test_huge_request_is_refused(cluster: Managers) -> None:
    token = cluster.object.root.worker_token

    for size in (1 << 20, 8 << 20):
        with pytest.raises(InvalidArgument):
            await issued(cluster.leader, joining(cluster, token), asking(token, b"A" * size))
    assert [] == cluster.members


async def test_unknown_availability_is_refused(cluster: Managers) -> None:
    token = cluster.object.root.worker_token
    request = asking(token)
    request.availability = "sometimes"

    with pytest.raises(InvalidArgument):
        await issued(cluster.leader, joining(cluster, token), request)
    assert [] == cluster.members


async def test_renewal_is_for_the_certificates_own_node_in_the_role_of_now(
    cluster: Managers, node: Joiner
) -> None:
    """What the request says besides, a token even, does not matter."""
    root = cluster.object.root
    await node.join(root.worker_token)
    mine = node.certificates.credentials
    assert mine is not None

    answer = await issued(cluster.leader, mine, asking(root.manager_token))

    expected = Identity(node.certificates.node_id, Role.WORKER, CLUSTER)
    assert expected == identity_of(load_certificate(answer.chain))
    assert 1 == len(cluster.members)


async def test_promoted_node_gets_a_managers_certificate(cluster: Managers, node: Joiner) -> None:
    await node.join(cluster.object.root.worker_token)
    await change(cluster, node, lambda member: replace(member, role=NodeRole.MANAGER))
    node.start()

    node.certificates.want()
    await node.until(lambda: node.certificates.role is NodeRole.MANAGER)

    assert 1 == len(cluster.members)


async def change(cluster: Managers, node: Joiner, become: object) -> None:
    """Rewrite a node's object."""
    assert callable(become)

    def rewrite(tx: Transaction) -> None:
        found: Node = become(tx.nodes.need(node.certificates.node_id))
        tx.nodes.update(found)

    await cluster.env.store.update(rewrite)


async def test_removed_node_gets_no_certificate(cluster: Managers, node: Joiner) -> None:
    await node.join(cluster.object.root.worker_token)
    mine = node.certificates.credentials
    assert mine is not None

    await remove_node(cluster.env, node.certificates.node_id, force=True)

    with pytest.raises(Forbidden, match="removed"):
        await issued(cluster.leader, mine, asking())


async def test_node_that_the_cluster_never_had_gets_no_certificate(cluster: Managers) -> None:
    """Its certificate is genuine: it was in a backup's cluster, or its entry was lost."""
    stranger = await cluster.credentials(Identity("ghost", Role.WORKER, CLUSTER))

    with pytest.raises(NotAMember, match="leave"):
        await issued(cluster.leader, stranger, asking())


async def test_certificate_of_another_cluster_is_refused(cluster: Managers) -> None:
    root = Authority("swarm-ca")
    foreign = root.issue(Identity("m1", Role.MANAGER, CLUSTER)).credentials(root.certificate)
    foreign = Credentials(cluster.trust().roots_pem(), foreign.chain, foreign.key)

    with pytest.raises(Unavailable):
        await issued(cluster.leader, foreign, asking())


@pytest.mark.parametrize("who", ["worker", "joining"])
async def test_unlock_key_is_for_managers_alone(cluster: Managers, node: Joiner, who: str) -> None:
    root = cluster.object.root
    if who == "worker":
        await node.join(root.worker_token)
    mine = node.certificates.credentials or joining(cluster, root.manager_token)

    async with open_channel(cluster.leader, mine) as channel:
        with pytest.raises(Forbidden), raised_here():
            await CAStub(channel).GetUnlockKey(wire.GetUnlockKeyRequest(), timeout=10)


async def test_managers_are_told_the_unlock_key(cluster: Managers) -> None:
    def lock(tx: Transaction) -> None:
        tx.clusters.update(replace(tx.clusters.need(CLUSTER), unlock_key=b"k" * 32))

    await cluster.env.store.update(lock)
    mine = await cluster.credentials(Identity("m2", Role.MANAGER, CLUSTER))

    async with open_channel(cluster.leader, mine) as channel:
        answer = await CAStub(channel).GetUnlockKey(wire.GetUnlockKeyRequest(), timeout=10)

    assert unlock_key_text(b"k" * 32) == answer.unlock_key


async def status(
    cluster: Managers, mine: Credentials, node_id: str = "", request: bytes = b""
) -> wire.NodeCertificateStatusResponse:
    """Ask what was issued."""
    message = wire.NodeCertificateStatusRequest(node_id=node_id, signing_request=request)
    async with open_channel(cluster.leader, mine) as channel:
        with raised_here():
            answer: wire.NodeCertificateStatusResponse = await CAStub(
                channel
            ).NodeCertificateStatus(message, timeout=10)
    return answer


async def test_status_is_told_to_the_node_itself_and_to_managers(
    cluster: Managers, node: Joiner
) -> None:
    await node.join(cluster.object.root.worker_token)
    mine = node.certificates.credentials
    assert mine is not None
    node_id = node.certificates.node_id
    manager = await cluster.credentials(Identity("m2", Role.MANAGER, CLUSTER))
    other = await cluster.credentials(Identity("w9", Role.WORKER, CLUSTER))

    assert mine.chain == (await status(cluster, mine)).chain
    assert mine.chain == (await status(cluster, manager, node_id)).chain
    with pytest.raises(NotYours):
        await status(cluster, other, node_id)
    with pytest.raises(NotAMember):
        await status(cluster, other)


async def test_status_is_told_to_a_joining_node_that_shows_its_request(cluster: Managers) -> None:
    token = cluster.object.root.worker_token
    request = asking(token)
    first = await issued(cluster.leader, joining(cluster, token), request)

    told = await status(cluster, joining(cluster, token), first.node_id, request.signing_request)

    assert first.chain == told.chain
    for wrong in (b"", new_request(new_key())):
        with pytest.raises(NotYours):
            await status(cluster, joining(cluster, token), first.node_id, wrong)


async def test_nobody_but_a_manager_speaks_for_others(cluster: Managers, node: Joiner) -> None:
    await node.join(cluster.object.root.worker_token)
    mine = node.certificates.credentials
    assert mine is not None
    request = asking()
    request.on_behalf_of.node_id, request.on_behalf_of.role = "m1", "swarm-manager"

    for credentials in (mine, joining(cluster, cluster.object.root.manager_token)):
        with pytest.raises(Forbidden, match="on behalf"):
            await issued(cluster.leader, credentials, request)


async def test_follower_hands_requests_on_to_the_leader(tmp_path: Path) -> None:
    async with managers(tmp_path, 2) as cluster, joiners(cluster, "n1") as (node,):
        follower = cluster.servers[1].address

        await node.join(cluster.object.root.worker_token, follower)

        first = node.certificates.credentials
        node.start(follower)
        node.certificates.want()
        await node.until(lambda: node.certificates.credentials != first)
        assert [node.certificates.node_id] == [each.id for each in cluster.members]


async def test_follower_without_a_leader_says_so_at_once(tmp_path: Path) -> None:
    async with managers(tmp_path, 2) as cluster, joiners(cluster, "n1") as (node,):
        follower = cluster.servers[1]
        follower.leadership.move(is_leader=False, leader_address=None)

        with pytest.raises(NoLeader):
            await node.join(cluster.object.root.worker_token, follower.address)


async def test_request_is_not_handed_around(tmp_path: Path) -> None:
    """Two managers that each take the other for the leader."""
    async with managers(tmp_path, 2) as cluster, joiners(cluster, "n1") as (node,):
        first, second = cluster.servers
        first.leadership.move(is_leader=False, leader_address=second.address)
        second.leadership.move(is_leader=False, leader_address=first.address)

        with pytest.raises(NoLeader):
            await node.join(cluster.object.root.worker_token, first.address)
