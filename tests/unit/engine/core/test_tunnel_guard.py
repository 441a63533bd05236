"""Who may send into tunnels, as text."""

from __future__ import annotations

from engine.core.tunnel_guard import TunnelGuard


def test_a_node_that_comes_is_an_element_for_each_tunnel() -> None:
    """Whatever the number of nodes that are there already."""
    guard = TunnelGuard("t")
    guard.change("n1", 4789, [4097, 4098], ["10.1.0.1"])

    text = guard.change("n1", 4789, [4097, 4098], ["10.1.0.1", "fd00::2"])

    assert text.splitlines() == [
        "add element inet t senders6 { 4789 . 4097 . fd00::2, 4789 . 4098 . fd00::2 }"
    ]


def test_a_network_without_peers_takes_from_nobody() -> None:
    """Its tunnels are guarded all the same."""
    text = TunnelGuard("t").change("n1", 4789, [4097], [])

    assert text == "add element inet t tunnels { 4789 . 4097 }"


def test_an_id_that_two_networks_have_for_a_moment_stays_with_the_second() -> None:
    """Managers give the id of a removed network out again, maybe before a node has let go."""
    guard = TunnelGuard("t")
    guard.change("old", 4789, [4097], ["10.1.0.1", "10.1.0.2"])
    guard.change("new", 4789, [4097], ["10.1.0.1"])

    assert guard.release("old") == "delete element inet t senders4 { 4789 . 4097 . 10.1.0.2 }"
    assert not guard.is_empty
    assert "10.1.0.1" in guard.whole()
    assert "10.1.0.2" not in guard.whole()
    guard.release("new")
    assert guard.is_empty
