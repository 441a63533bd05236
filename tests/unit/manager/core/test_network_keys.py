"""Keys of encrypted networks: three of them, changed one at a time, with clocks that only grow."""

from __future__ import annotations

import pytest

from api.cluster_errors import InvalidSpec
from api.types.cluster_networks import NetworkSpec
from api.types.objects import Driver
from api.types.swarm import SwarmSpec
from manager.core.network_keys import (
    NEVER_NS,
    ROTATION_LABEL,
    changed,
    check_rotation,
    due_ns,
    is_encrypted,
    keys_of,
)
from manager.core.objects.cluster import Cluster
from manager.core.objects.network import Network

HOUR_NS = 3600 * 10**9


def secrets(first: int) -> list[bytes]:
    """Return three secrets."""
    return [bytes([first + number]) * 32 for number in range(3)]


def clocks(cluster: Cluster) -> list[int]:
    """Return the clocks of its keys."""
    return [each.clock for each in keys_of(cluster)]


def labelled(text: str) -> SwarmSpec:
    """Return a spec with a time between rotations."""
    return SwarmSpec(Labels={ROTATION_LABEL: text})


def test_a_cluster_without_encrypted_networks_has_no_keys() -> None:
    """And loses those that it had."""
    empty = Cluster(id="c")
    had = changed(empty, 5, secrets(1), is_needed=True)

    assert due_ns(empty, is_needed=False) == NEVER_NS
    assert due_ns(had, is_needed=False) == 0
    assert clocks(changed(had, 6, secrets(4), is_needed=False)) == []


def test_the_first_encrypted_network_brings_three_keys() -> None:
    """So that a node can receive by the next one from the beginning."""
    cluster = Cluster(id="c")

    made = changed(cluster, 5, secrets(1), is_needed=True)

    assert due_ns(cluster, is_needed=True) == 0
    assert clocks(made) == [3, 2, 1]
    assert len({each.key for each in keys_of(made)}) == 3


def test_a_rotation_brings_one_key_and_drops_the_oldest() -> None:
    """What was the next is the current one, which all nodes receive by already."""
    made = changed(Cluster(id="c"), 5, secrets(1), is_needed=True)

    rotated = changed(made, 12 * HOUR_NS, secrets(7), is_needed=True)

    assert due_ns(made, is_needed=True) == 5 + 12 * HOUR_NS
    assert clocks(rotated) == [4, 3, 2]
    assert keys_of(rotated)[1:] == keys_of(made)[:2]
    assert due_ns(rotated, is_needed=True) == 24 * HOUR_NS


def test_keys_that_a_node_has_used_up_change_before_their_time() -> None:
    """But not before all nodes may have the next one."""
    made = changed(Cluster(id="c"), 5, secrets(1), is_needed=True)

    assert due_ns(made, is_needed=True, is_worn=True) == 5 + 60 * 10**9
    assert due_ns(Cluster(id="c"), is_needed=False, is_worn=True) == NEVER_NS


def test_a_clock_is_never_given_twice() -> None:
    """Not even when the keys were gone in between."""
    had = changed(Cluster(id="c"), 5, secrets(1), is_needed=True)
    gone = changed(had, 6, secrets(4), is_needed=False)

    assert clocks(changed(gone, 7, secrets(7), is_needed=True)) == [6, 5, 4]


def test_the_time_between_rotations_is_a_label_of_the_swarm() -> None:
    """What is no time, or too short for nodes to follow, is refused."""
    cluster = Cluster(id="c", spec=labelled("90s"))
    made = changed(cluster, 0, secrets(1), is_needed=True)

    assert due_ns(made, is_needed=True) == 90 * 10**9
    check_rotation(labelled("6h"))
    for text in ("1s", "often", "-5m", "²h", "9999999h", "5"):
        with pytest.raises(InvalidSpec, match=ROTATION_LABEL):
            check_rotation(labelled(text))


def test_keys_are_not_shown() -> None:
    """An object may get into a log line."""
    made = changed(Cluster(id="c"), 5, [b"s3cret" * 6] * 3, is_needed=True)

    assert "s3cret" not in repr(made.network_keys)


def test_a_network_is_encrypted_by_its_option() -> None:
    """Whatever its value is, as with Docker."""
    spec = NetworkSpec(
        Name="n", DriverConfiguration=Driver(Name="overlay", Options={"encrypted": ""})
    )

    assert is_encrypted(Network(id="n", spec=spec))
    assert not is_encrypted(Network(id="n"))
