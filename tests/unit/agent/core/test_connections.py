"""Who is still to be heard before a container is asked to end."""

from __future__ import annotations

from agent.core.connections import Incoming, incoming

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout"


def table(*rows: tuple[str, str, str]) -> str:
    """Return a list of connections: local port, state and the owner's number."""
    lines = [
        f"   {number}: 0200000A:{port} 0300000A:C001 {state} 00000000:00000000 00:00000000 "
        f"00000000     0        0 {owner} 1 00000000a7fc9b48 100 0 0 10 0"
        for number, (port, state, owner) in enumerate(rows)
    ]
    return "\n".join([HEAD, *lines]) + "\n"


def test_connections_that_wait_to_be_accepted_are_told_from_open_ones() -> None:
    """Those are reset when the listener closes, these are the program's own affair."""
    found = incoming(
        table(("0050", "0A", "77"), ("0050", "03", "0"), ("0050", "01", "0"), ("0050", "01", "78"))
    )

    assert found == Incoming(waiting=2, accepted=1)


def test_what_the_container_began_itself_does_not_count() -> None:
    """Nor what is over."""
    found = incoming(table(("0050", "0A", "77"), ("C350", "01", "79"), ("0050", "06", "0")))

    assert found == Incoming()


def test_a_listener_for_both_families_is_in_the_other_table() -> None:
    """Linux lists IPv4 connections to it with IPv6."""
    found = incoming(table(("0050", "01", "0")), table(("0050", "0A", "77")))

    assert found == Incoming(waiting=1)
