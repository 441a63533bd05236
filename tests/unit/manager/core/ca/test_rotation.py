"""From one root to the next: what a spec asks for, who has to renew yet, what is left then."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from api.cluster_errors import InvalidSpec
from api.types.nodes import NodeDescription, TLSInfo
from api.types.swarm import CAConfig, ExternalCA, SwarmSpec
from manager.core.ca.rotation import (
    Begin,
    GoOn,
    Keep,
    Plan,
    Progress,
    TakeBack,
    asked,
    begun,
    finished,
    gone_on,
    plan,
    progress,
    taken_back,
)
from manager.core.ca.signer import signer_of, trusted_roots
from manager.core.objects.cluster import Cluster, NetworkKey, RootCA
from manager.core.objects.node import IssuanceState, Node, NodeCertificate

STEADY = RootCA(
    certificate="A",
    key="a",
    digest="da",
    worker_token="wa",
    manager_token="ma",
    last_forced=3,
)
ROTATING = begun(STEADY, "B", "b", "B by A", 4)
OUTSIDE = replace(STEADY, key="")
KEPT = CAConfig(ForceRotate=3)


def given(certificate: str, key: str = "", *external: ExternalCA) -> CAConfig:
    """Return a spec that names a root."""
    return CAConfig(
        SigningCACert=certificate, SigningCAKey=key, ForceRotate=3, ExternalCAs=list(external)
    )


AT_B = ExternalCA(URL="https://b", CACert="B")
AT_A = ExternalCA(URL="https://a")


@pytest.mark.parametrize(
    ("root", "wanted", "expected"),
    [
        (STEADY, KEPT, Keep()),
        (STEADY, CAConfig(ForceRotate=4), Begin()),
        (STEADY, given("A"), Keep()),
        (STEADY, given("A\n", "a"), Keep()),
        (STEADY, given("A", "a2"), TakeBack("a2")),
        (STEADY, given("B", "b"), Begin("B", "b")),
        (STEADY, given("B", "", AT_B), Begin("B", "")),
        (OUTSIDE, replace(KEPT, ExternalCAs=[AT_A]), Keep()),
        (ROTATING, CAConfig(ForceRotate=4), Keep()),
        (ROTATING, CAConfig(ForceRotate=5), Begin()),
        (ROTATING, given("B"), Keep()),
        (ROTATING, given("B", "b2"), GoOn("b2")),
        (ROTATING, given("A"), TakeBack("a")),
        (ROTATING, given("C", "c"), Begin("C", "c")),
    ],
)
def test_plan_follows_the_spec(root: RootCA, wanted: CAConfig, expected: Plan) -> None:
    assert expected == plan(root, wanted)


@pytest.mark.parametrize(
    ("root", "wanted", "which"),
    [
        (STEADY, given("B"), "desired"),
        (STEADY, given("B", "", AT_A), "desired"),
        (OUTSIDE, KEPT, "current"),
        (OUTSIDE, given("A"), "desired"),
        (begun(STEADY, "B", "", "x", 3), replace(KEPT, ExternalCAs=[AT_A]), "next"),
    ],
)
def test_root_that_nobody_could_sign_for_is_refused(
    root: RootCA, wanted: CAConfig, which: str
) -> None:
    with pytest.raises(InvalidSpec, match=f"external CA corresponding to the {which} CA"):
        plan(root, wanted)


def test_new_root_signs_at_once_and_the_old_one_is_trusted_on() -> None:
    signer = signer_of(ROTATING)

    assert ("B", "b", "B by A") == (signer.certificate, signer.key, signer.cross_signed)
    assert ("A", "B") == trusted_roots(ROTATING)
    assert ("wa", "ma") == (ROTATING.worker_token, ROTATING.manager_token)


def test_other_root_takes_the_place_of_the_one_that_was_to_come() -> None:
    again = begun(ROTATING, "C", "c", "C by A", 5)

    assert ("A", "C") == trusted_roots(again)
    assert "C by A" == signer_of(again).cross_signed


def test_rotation_is_taken_back() -> None:
    back = taken_back(ROTATING, "a", 5)

    assert replace(STEADY, last_forced=5) == back


def test_key_of_the_next_root_changes() -> None:
    assert ("B", "b2") == (gone_on(ROTATING, "b2", 4).rotation.certificate, "b2")  # type: ignore[union-attr]
    assert "b2" == signer_of(gone_on(ROTATING, "b2", 4)).key


def test_finished_rotation_leaves_the_new_root_and_no_old_token() -> None:
    after = finished(ROTATING, "db")

    assert RootCA(certificate="B", key="b", digest="db", last_forced=4) == after


def node(name: str, told: bytes, state: IssuanceState = IssuanceState.ISSUED) -> Node:
    """Return a node that told whose certificate it holds; what it was given is its name's."""
    return Node(
        id=name,
        description=NodeDescription(TLSInfo=TLSInfo(CertIssuerPublicKey=told)),
        certificate=NodeCertificate(state=state, certificate=name.encode()),
    )


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([], Progress()),
        ([node("old", b"A")], Progress(("old",), ("old",))),
        ([node("old", b"A", IssuanceState.RENEW)], Progress((), ("old",))),
        ([node("given", b"A")], Progress((), ("given",))),
        ([node("old", b"B")], Progress()),
        ([node("given", b"")], Progress()),
        ([node("old", b"")], Progress(("old",), ("old",))),
        ([node("given", b"B"), node("old", b"A")], Progress(("old",), ("old",))),
    ],
    ids=["none", "old", "asked", "given", "told", "silent", "silent-old", "mixed"],
)
def test_progress_waits_for_what_nodes_tell(nodes: list[Node], expected: Progress) -> None:
    """A node that was given a certificate may have crashed before it kept it."""
    found = progress(nodes, b"B", lambda each: each.id == "given")

    assert expected == found


def test_node_that_is_asked_keeps_its_certificate() -> None:
    before = node("old", b"A")

    after = asked(before)

    assert IssuanceState.RENEW is after.certificate.state
    assert before.certificate.certificate == after.certificate.certificate


@pytest.mark.parametrize("shown", [signer_of(ROTATING), TakeBack("a"), GoOn("b"), Begin("B", "b")])
def test_keys_are_in_no_repr(shown: object) -> None:
    assert "key" not in repr(shown)


def test_cluster_with_all_its_secrets_prints_none_of_them() -> None:
    config = CAConfig(SigningCAKey="s3cret")
    cluster = Cluster(
        id="c1",
        spec=SwarmSpec(CAConfig=config),
        root=replace(begun(STEADY, "B", "s3cret", "x", 1), key="s3cret", worker_token="s3cret"),
        unlock_key=b"s3cret",
        network_keys=[NetworkKey(subsystem="gossip", key=b"s3cret")],
    )

    for printed in (cluster, cluster.root, cluster.root.rotation, cluster.network_keys):
        assert "s3cret" not in repr(printed)
