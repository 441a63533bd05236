"""Root rotation with real managers' ports and real nodes: nobody is left behind."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from api.swarm_errors import FingerprintMismatch
from api.types.swarm import CAConfig
from manager.adapters.issuer import LocalIssuer
from manager.cluster.nodes.remove import remove_node
from protos.identity.refusal import NotAccepted, NotTrusted, refusal
from tests.fakes.small_cluster import until
from tests.rpc.authority_bed import Joiner, Managers, joiners, managers


@pytest_asyncio.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Managers]:
    """Lend a cluster of two managers' ports."""
    async with managers(tmp_path, 2) as lent:
        yield lent


@pytest_asyncio.fixture
async def nodes(cluster: Managers) -> AsyncIterator[list[Joiner]]:
    """Lend three nodes that have joined and are up."""
    async with AsyncExitStack() as stack:
        lent = await stack.enter_async_context(joiners(cluster, "n1", "n2", "n3"))
        for node in lent:
            await node.join(cluster.object.root.worker_token)
            node.start()
        await until(lambda: all(has_told(cluster, node) for node in lent))
        yield lent


def has_told(cluster: Managers, node: Joiner) -> bool:
    """Tell whether the managers know what the node holds."""
    member = cluster.env.store.view().nodes.need(node.certificates.node_id)
    return member.description.TLSInfo == node.certificates.tls_info()


def is_rotating(cluster: Managers) -> bool:
    """Tell whether a rotation is under way."""
    return cluster.object.root.rotation is not None


def issuer_of(node: Joiner) -> bytes:
    """Return the key of the root that signed a node's certificate."""
    return node.certificates.tls_info().CertIssuerPublicKey


async def finished(cluster: Managers) -> None:
    """Wait for the end of the rotation, and for all managers to know."""
    await until(lambda: not is_rotating(cluster))
    roots = cluster.trust().roots
    await until(lambda: all(server.trusted == roots for server in cluster.servers))


async def test_all_nodes_renew_and_the_tokens_pin_the_new_root(
    cluster: Managers, nodes: list[Joiner]
) -> None:
    before = cluster.object.root

    await cluster.rotate()
    await finished(cluster)

    after = cluster.object.root
    assert after.certificate != before.certificate
    assert after.digest == cluster.env.issuer.digest(after.certificate)
    assert not {after.worker_token, after.manager_token} & {
        before.worker_token,
        before.manager_token,
    }
    assert 1 == len({issuer_of(node) for node in nodes})
    await until(
        lambda: all(node.certificates.tls_info().TrustRoot == after.certificate for node in nodes)
    )


async def test_token_works_until_the_end_and_no_longer(
    cluster: Managers, nodes: list[Joiner]
) -> None:
    token = cluster.object.root.worker_token
    await nodes[0].stop()
    await cluster.rotate()
    await until(lambda: 1 == len({issuer_of(node) for node in nodes[1:]} - {issuer_of(nodes[0])}))

    async with joiners(cluster, "during", "after", "late") as (during, after, late):
        await during.join(token)
        during.start()
        assert issuer_of(during) == issuer_of(nodes[1])

        await nodes[0].restart()
        await finished(cluster)

        with pytest.raises(FingerprintMismatch):
            await late.join(token)
        await after.join(cluster.object.root.worker_token)
        assert issuer_of(after) == issuer_of(during)


async def test_node_that_was_down_comes_back_by_the_old_root_and_renews(
    cluster: Managers, nodes: list[Joiner]
) -> None:
    away, *others = nodes
    await away.stop()
    before = issuer_of(away)

    await cluster.rotate()
    await until(lambda: all(issuer_of(node) != before for node in others))
    assert is_rotating(cluster)

    await away.restart()
    await finished(cluster)

    assert issuer_of(away) == issuer_of(others[0])


async def test_node_removed_meanwhile_holds_nothing_up_and_is_told_the_way_out(
    cluster: Managers, nodes: list[Joiner]
) -> None:
    away = nodes[0]
    await away.stop()
    await cluster.rotate()

    await remove_node(cluster.env, away.certificates.node_id, force=True)
    await finished(cluster)

    await away.certificates.load()
    mine = away.certificates.credentials
    assert mine is not None
    found = await refusal(cluster.leader, mine)
    assert isinstance(found, NotTrusted)
    assert "another root certificate while the node was away" in found.message


async def test_managers_refusal_is_told_from_no_answer(
    cluster: Managers, nodes: list[Joiner], unused_tcp_port: int
) -> None:
    mine = nodes[0].certificates.credentials
    assert mine is not None
    stranger = LocalIssuer().new_root()
    await cluster.rotate()
    await finished(cluster)
    now = cluster.trust().roots_pem()

    told = await refusal(cluster.leader, dataclasses.replace(mine, roots=now))
    untold = await refusal(f"127.0.0.1:{unused_tcp_port}", mine)
    other = await refusal(
        cluster.leader, dataclasses.replace(mine, roots=stranger.certificate.encode())
    )
    renewed = nodes[0].certificates.credentials
    assert renewed is not None
    well = await refusal(cluster.leader, renewed)

    assert isinstance(told, NotAccepted)
    assert isinstance(other, NotTrusted)
    assert (None, None) == (untold, well)


async def test_rotation_is_superseded_by_another(cluster: Managers, nodes: list[Joiner]) -> None:
    """Nodes that are on the way to the root that was dropped are led on to the next."""
    away, *others = nodes
    await away.stop()
    old = issuer_of(away)
    await cluster.rotate()
    dropped = cluster.object.root.rotation
    await until(lambda: all(issuer_of(node) != old for node in others))
    middle = issuer_of(others[0])

    await cluster.rotate()
    await until(lambda: all(issuer_of(node) not in (old, middle) for node in others))
    await away.restart()
    await finished(cluster)

    assert dropped is not None
    assert cluster.object.root.certificate not in (dropped.certificate,)
    assert 1 == len({issuer_of(node) for node in nodes})


async def test_node_with_a_certificate_of_a_dropped_root_comes_back(
    cluster: Managers, nodes: list[Joiner]
) -> None:
    """It renewed in the first rotation, and was away when the second took its place."""
    away, holding, _ = nodes
    await holding.stop()
    old = issuer_of(away)
    await cluster.rotate()
    await until(lambda: issuer_of(away) != old)
    await away.stop()

    await cluster.rotate()
    await holding.restart()
    assert is_rotating(cluster)
    await away.restart()
    await finished(cluster)

    assert 1 == len({issuer_of(node) for node in nodes})


async def test_rotation_is_taken_back(cluster: Managers, nodes: list[Joiner]) -> None:
    """The present root is asked for again: all come back to it, and the tokens are as before."""
    before = cluster.object.root
    away, *others = nodes
    old = issuer_of(away)
    await away.stop()
    await cluster.rotate()
    await until(lambda: all(issuer_of(node) != old for node in others))

    wanted = replace(cluster.object.spec.CAConfig, SigningCACert=before.certificate)
    await cluster.rotate(wanted)
    await until(lambda: all(issuer_of(node) == old for node in others))

    assert not is_rotating(cluster)
    assert (before.certificate, before.key, before.worker_token) == (
        cluster.object.root.certificate,
        cluster.object.root.key,
        cluster.object.root.worker_token,
    )


async def test_rotation_to_a_root_of_ones_own(cluster: Managers, nodes: list[Joiner]) -> None:
    """It has the name that the present one has."""
    mine = LocalIssuer().new_root()

    await cluster.rotate(CAConfig(SigningCACert=mine.certificate, SigningCAKey=mine.key))
    await finished(cluster)

    assert (mine.certificate, mine.key) == (
        cluster.object.root.certificate,
        cluster.object.root.key,
    )
    assert "" == cluster.object.spec.CAConfig.SigningCAKey
    assert 1 == len({issuer_of(node) for node in nodes})


async def test_rotation_of_a_cluster_without_nodes_ends_at_once(tmp_path: Path) -> None:
    async with managers(tmp_path) as cluster:
        before = cluster.object.root.certificate

        await cluster.rotate()
        await finished(cluster)

        assert before != cluster.object.root.certificate
