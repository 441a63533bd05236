"""Associations between nodes: what one sends by, the other receives by, and nobody else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.core.esp import (
    Associations,
    Change,
    NetworkKey,
    associations,
    difference,
    guard_text,
    sending_key,
)

A, B, C = "198.51.100.1", "198.51.100.2", "198.51.100.3"
KEYS = [NetworkKey(clock, bytes([clock]) * 32) for clock in range(1, 9)]


def node(own: str, *peers: str, keys: list[NetworkKey] | None = None) -> Associations:
    """Return what a node has with its peers."""
    return associations([(own, peer, 4789) for peer in peers], KEYS[:3] if keys is None else keys)


def hears(listener: Associations, sender: Associations, source: str, target: str) -> bool:
    """Tell whether what is sent from one to the other is understood."""
    spi = sender.policies[source, target, 4789]
    key = source, target, spi
    return listener.states.get(key) == sender.states[key]


def applied(present: Associations, change: Change) -> Associations:
    """Return what a kernel has after a change."""
    states, policies = dict(present.states), dict(present.policies)
    states.update(change.states)
    policies.update(change.policies)
    for path in change.lost_policies:
        del policies[path]
    for key in change.lost_states:
        del states[key]
    return Associations(states, policies)


def test_two_nodes_understand_one_another() -> None:
    """Without a word between them."""
    one, other = node(A, B, C), node(B, A)

    assert hears(other, one, A, B)
    assert hears(one, other, B, A)


def test_a_node_that_is_one_rotation_ahead_or_behind_is_understood() -> None:
    """So a rotation loses nothing, whoever hears of it first."""
    before, after = KEYS[0:3], KEYS[1:4]

    for mine, theirs in ((before, after), (after, before)):
        assert hears(node(B, A, keys=theirs), node(A, B, keys=mine), A, B)


def test_each_direction_of_each_pair_has_a_key_of_its_own() -> None:
    """Under one key two counters would meet in the same nonce, and give both texts away."""
    sent = [node(A, B, C), node(B, A, C), node(C, A, B)]

    keys = [each.states[(*path[:2], spi)] for each in sent for path, spi in each.policies.items()]

    assert len(set(keys)) == len(keys) == 6
    assert all(len(each) == 36 for each in keys)


def test_nothing_is_sent_by_a_key_that_is_not_sent_by_yet() -> None:
    """A node has one state to send by for each peer, and three to receive by."""
    states = node(A, B).states

    assert len([key for key in states if key[0] == A]) == 1
    assert len([key for key in states if key[0] == B]) == 3
    assert sending_key(KEYS[2::-1]).clock == 2


def test_without_keys_and_to_itself_there_is_nothing() -> None:
    """And nothing between addresses of two families."""
    assert node(A, B, keys=[]) == Associations()
    assert node(A, A, "2001:db8::2") == Associations()


@given(
    st.lists(
        st.tuples(st.sets(st.sampled_from([B, C, "198.51.100.4"])), st.integers(0, 5)), max_size=6
    )
)
def test_changes_lead_from_any_state_to_any_other(steps: list[tuple[set[str], int]]) -> None:
    """What a kernel had before does not matter."""
    kernel = Associations()

    for peers, first in steps:
        wanted = node(A, *peers, keys=KEYS[first : first + 3])
        kernel = applied(kernel, difference(kernel, wanted))
        assert kernel == wanted

    assert not difference(kernel, kernel)


def test_a_rotation_touches_no_state_that_is_still_heard() -> None:
    """Packets under way arrive."""
    before, after = node(A, B, keys=KEYS[0:3]), node(A, B, keys=KEYS[1:4])

    change = difference(before, after)

    assert len(change.states) == 2
    assert list(change.policies) == [(A, B, 4789)]
    assert len(change.lost_states) == 2
    assert change.lost_policies == ()


def test_the_guard_replaces_itself_in_one_transaction() -> None:
    """There is no moment without it."""
    text = guard_text("t", [4098, 4097], [4789])

    assert text.startswith("add table inet t\ndelete table inet t\ntable inet t {")
    assert "elements = { 4097, 4098 }" in text


def test_keys_are_not_shown() -> None:
    """A structure may get into a log line."""
    secret = NetworkKey(1, b"s3cret" * 6)
    made = node(A, B, keys=[secret])

    for shown in (repr(secret), repr(made), repr(difference(Associations(), made))):
        assert "s3cret" not in shown
        assert repr(next(iter(made.states.values())))[2:-1] not in shown
