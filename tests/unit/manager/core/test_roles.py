"""How members of raft and roles follow what is wanted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from api.types.nodes import NodeRole
from manager.core.member import Member, can_spare
from manager.core.objects.node import Node
from manager.core.roles import HandOver, RemoveMember, Rewrite, plan, settled
from tests.fakes.membership import member
from tests.fakes.small_cluster import manager_node, worker_node


def _wanting(node: Node, role: str) -> Node:
    return replace(node, spec=replace(node.spec, Role=role))


def _three() -> tuple[list[Node], list[Member]]:
    return [manager_node(n) for n in (1, 2, 3)], [member(n, f"m{n}") for n in (1, 2, 3)]


def test_nothing_is_due_when_roles_are_as_wanted() -> None:
    nodes, members = _three()

    assert [] == plan([*nodes, worker_node(1)], members, "m1")


def test_promoted_node_is_a_manager_at_once() -> None:
    """It needs the role to get a manager's certificate, and that to join."""
    node = _wanting(worker_node(1), "manager")
    nodes, members = _three()

    assert [Rewrite("w1")] == plan([*nodes, node], members, "m1")
    assert NodeRole.MANAGER is settled(node, None).role


def test_demoted_manager_leaves_raft_before_its_role_changes() -> None:
    nodes, members = _three()
    nodes[1] = _wanting(nodes[1], "worker")

    assert [RemoveMember(2, "m2")] == plan(nodes, members, "m1")
    assert NodeRole.MANAGER is settled(nodes[1], members[1]).role
    assert [Rewrite("m2")] == plan(nodes, [members[0], members[2]], "m1")
    after = settled(nodes[1], None)
    assert (NodeRole.WORKER, None) == (after.role, after.manager)


def test_leader_hands_over_before_it_goes() -> None:
    nodes, members = _three()
    nodes[0] = _wanting(nodes[0], "worker")

    assert [HandOver()] == plan(nodes, members, "m1")


def test_one_member_goes_at_a_time_and_others_before_the_leader() -> None:
    nodes, members = _three()
    nodes = [_wanting(nodes[0], "worker"), _wanting(nodes[1], "worker"), nodes[2]]

    assert [RemoveMember(2, "m2")] == plan(nodes, members, "m1")


def test_member_whose_loss_costs_the_quorum_stays() -> None:
    nodes, members = _three()
    nodes[1] = _wanting(nodes[1], "worker")
    members[2] = replace(members[2], is_reachable=False)

    assert [] == plan(nodes, members, "m1")


def test_member_without_a_node_goes() -> None:
    """Its node was removed while it joined."""
    nodes, members = _three()

    assert [RemoveMember(4, "ghost")] == plan(nodes, [*members, member(4, "ghost")], "m1")


def test_first_manager_stays_before_there_are_nodes() -> None:
    """Between the first election and the first objects the leader's own node is not there yet."""
    assert [] == plan([], [member(1, "m1")], "m1")


def test_members_place_is_noted_on_its_node() -> None:
    node = replace(manager_node(1), manager=None)

    assert [Rewrite("m1")] == plan([node], [member(1, "m1")], "m1")


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.data())
def test_a_member_is_spared_only_if_the_others_are_a_quorum(
    reachable: list[bool], data: st.DataObject
) -> None:
    members = [
        member(number, f"m{number}", is_reachable=is_there)
        for number, is_there in enumerate(reachable, 1)
    ]
    going = data.draw(st.sampled_from(members))

    staying = [each for each in members if each is not going]
    alive = sum(bool(each.is_reachable) for each in staying)
    assert can_spare(members, going.raft_id) == (2 * alive > len(staying))


def test_learner_can_always_be_spared() -> None:
    members = [member(1, "m1"), member(2, "m2", is_learner=True, is_reachable=False)]

    assert can_spare(members, 2)
    assert not can_spare(members, 1)
