"""Files of subordinate ids."""

from __future__ import annotations

import pytest

from agent.remapping import free_range, subordinates

TEXT = """\
# comment
ann:100000:65536
1007:400000:10

bob:165536:65536
ann:300000:5 # more
"""


def test_a_users_ranges_are_found_by_name_in_their_order() -> None:
    assert [(100_000, 65_536), (300_000, 5)] == subordinates(TEXT, "ann", 1000)


def test_lines_with_the_number_go_before_those_with_the_name() -> None:
    assert [(400_000, 10)] == subordinates(TEXT, "bob", 1007)


def test_nobody_else_gets_ids() -> None:
    assert [] == subordinates(TEXT, "an", 0)


@pytest.mark.parametrize("line", ["ann:1", "ann:x:1", "ann:1:0", "ann:4294967290:10", "a:-1:5"])
def test_a_line_that_makes_no_sense_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=line):
        subordinates(line, "ann", 1000)


def test_a_free_range_lies_behind_all_others() -> None:
    assert 400_010 == free_range(TEXT)
    assert 100_000 == free_range("")
