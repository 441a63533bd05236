"""Capabilities of files on their way into a user namespace and out of it."""

from __future__ import annotations

import struct

import pytest

from engine.core.file_capabilities import capability_inside, capability_outside

EVERYWHERE = struct.pack("<5I", 0x02000001, 128, 0, 3, 0)


def test_capabilities_get_the_root_that_they_hold_for_and_lose_it_again() -> None:
    """Revision 2 and 3 of capabilities(7)."""
    owned = capability_outside(EVERYWHERE, 100_000)

    assert struct.pack("<6I", 0x03000001, 128, 0, 3, 0, 100_000) == owned
    assert EVERYWHERE == capability_inside(owned, 100_000)


@pytest.mark.parametrize("value", [b"", b"short", bytes(20), bytes(24)])
def test_what_is_no_capability_of_ours_stays_as_it_is(value: bytes) -> None:
    assert value == capability_outside(value, 100_000)
    assert value == capability_inside(value, 100_000)


def test_capabilities_of_another_root_stay_its_own() -> None:
    owned = capability_outside(EVERYWHERE, 5)

    assert owned == capability_inside(owned, 100_000)
