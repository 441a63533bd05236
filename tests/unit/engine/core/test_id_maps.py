"""Ids inside and outside of user namespaces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from engine.core.id_maps import (
    OVERFLOW_ID,
    IdMap,
    IdMaps,
    NotMapped,
)

MAP = IdMap.of_subordinates([(100_000, 1000), (300_000, 500)])
MAPS = IdMaps(MAP, IdMap.of_subordinates([(700_000, 10)]))


def test_ranges_of_subordinates_follow_one_another_inside() -> None:
    assert ((0, 100_000, 1000), (1000, 300_000, 500)) == MAP.ranges
    assert "0 100000 1000\n1000 300000 500\n" == MAP.table()
    assert 1500 == MAP.count


@given(some.integers(0, 1499))
def test_every_id_inside_comes_back_from_outside(number: int) -> None:
    assert number == MAP.inside(MAP.outside(number))


def test_ids_without_a_number_outside_are_refused_in_the_reference_words() -> None:
    with pytest.raises(NotMapped, match="Container ID 1500 cannot be mapped to a host ID"):
        MAP.outside(1500)


def test_host_ids_without_a_number_inside_are_shown_as_the_kernel_does() -> None:
    assert (OVERFLOW_ID, 0) == MAPS.inside(5, 700_000)
    assert (5, 0) == MAPS.foreign_kept().inside(5, 700_000)


@pytest.mark.parametrize("maps", [MAPS, MAPS.foreign_kept()])
def test_maps_travel_as_text(maps: IdMaps) -> None:
    assert maps == IdMaps.from_text(maps.text())
    assert None is IdMaps.from_text("")


def test_root_is_the_first_of_each_map() -> None:
    assert (100_000, 700_000) == MAPS.root
