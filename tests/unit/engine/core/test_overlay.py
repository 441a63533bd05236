"""Tables of peers: what is told becomes entries, and no entry outlives what it was made of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.core.overlay import (
    Change,
    Peer,
    PeerTable,
    Tables,
    Tunnel,
    default_mtu,
    difference,
)

TUNNELS = (Tunnel("10.0.7.0/24", 4097), Tunnel("fd07::/64", 4098))
PEERS = st.builds(
    Peer,
    st.sampled_from([("10.0.7.2",), ("10.0.7.3", "fd07::3"), ("fd07::4",), ("192.0.2.1",), ()]),
    st.sampled_from(["02:42:00:00:00:01", "02:42:00:00:00:02"]),
    st.sampled_from(["198.51.100.1", "198.51.100.2"]),
)


def applied(tables: Tables, change: Change) -> Tables:
    """Return tables after a change, as a kernel would do it."""
    neighbours, forwarding = dict(tables.neighbours), dict(tables.forwarding)
    for key in change.lost_neighbours:
        del neighbours[key]
    for key in change.lost_forwarding:
        del forwarding[key]
    return Tables({**neighbours, **change.neighbours}, {**forwarding, **change.forwarding})


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.none() | PEERS, max_size=3), max_size=8))
def test_changes_add_up_to_the_tables(steps: list[dict[str, Peer | None]]) -> None:
    """Whoever applies each change has what a whole comparison would give."""
    table = PeerTable(TUNNELS)
    kernel = Tables()

    for step in steps:
        kernel = applied(kernel, table.change(step))
        assert kernel == table.tables()

    kernel = applied(kernel, table.change(dict.fromkeys("abc")))
    assert kernel == Tables()


def test_a_peer_is_reached_through_the_tunnel_of_its_first_address() -> None:
    """Its other addresses are answered for there too."""
    table = PeerTable(TUNNELS)

    table.change({"a": Peer(("10.0.7.3", "fd07::3"), "02:42:00:00:00:01", "198.51.100.1")})

    mac = "02:42:00:00:00:01"
    assert table.tables() == Tables(
        neighbours={(4097, "10.0.7.3"): mac, (4097, "fd07::3"): mac},
        forwarding={(4097, mac): "198.51.100.1"},
    )


def test_an_address_that_changed_hands_stays_when_the_first_owner_goes() -> None:
    """The new task may be told of before the end of the old one is."""
    table = PeerTable(TUNNELS)
    mac = "02:42:0a:00:07:02"
    table.change({"old": Peer(("10.0.7.2",), mac, "198.51.100.1")})

    table.change({"new": Peer(("10.0.7.2",), mac, "198.51.100.2")})
    change = table.change({"old": None})

    assert not change
    assert table.tables().forwarding == {(4097, mac): "198.51.100.2"}


def test_difference_writes_what_is_other_and_deletes_what_is_too_much() -> None:
    """As after a restart, when the kernel's tables are of before."""
    present = Tables({(1, "10.0.7.2"): "a"}, {(1, "a"): "198.51.100.1", (1, "b"): "198.51.100.1"})
    wanted = Tables({(1, "10.0.7.2"): "a"}, {(1, "a"): "198.51.100.9"})

    assert difference(present, wanted) == Change(
        forwarding={(1, "a"): "198.51.100.9"}, lost_forwarding=((1, "b"),)
    )


def test_packets_of_containers_leave_room_for_every_header() -> None:
    """So that none has to be cut; encrypted ones have multiples of four bytes, and no padding."""
    assert default_mtu("198.51.100.1", is_encrypted=False) == 1450
    assert default_mtu("2001:db8::1", is_encrypted=False) == 1430
    assert default_mtu("198.51.100.1", is_encrypted=True) == 1416
    assert default_mtu("2001:db8::1", is_encrypted=True) == 1396
