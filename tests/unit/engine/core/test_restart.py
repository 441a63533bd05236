"""Restart policies."""

from __future__ import annotations

import pytest

from api.errors import InvalidArgument
from api.types.containers import RestartPolicy
from engine.core.restart import back_off_s, check, has_settled, is_due, is_due_at_boot


@pytest.mark.parametrize(
    ("name", "limit", "exit_code", "failures", "due"),
    [
        ("", 0, 1, 1, False),
        ("no", 0, 1, 1, False),
        ("always", 0, 0, 0, True),
        ("always", 0, 1, 9, True),
        ("unless-stopped", 0, 0, 0, True),
        ("on-failure", 0, 0, 0, False),
        ("on-failure", 0, 1, 99, True),
        ("on-failure", 2, 1, 2, True),
        ("on-failure", 2, 1, 3, False),
    ],
)
def test_policy_decides_by_exit_code_and_count(
    name: str, limit: int, exit_code: int, failures: int, due: bool
) -> None:
    """on-failure:2 makes two more tries."""
    policy = RestartPolicy(name, limit)

    assert due == is_due(policy, exit_code=exit_code, failures=failures, stop_asked=False)


@pytest.mark.parametrize("name", ["always", "unless-stopped", "on-failure"])
def test_a_person_s_stop_is_obeyed(name: str) -> None:
    """`docker stop` is not answered by a restart."""
    assert not is_due(RestartPolicy(name), exit_code=137, failures=1, stop_asked=True)


@pytest.mark.parametrize(("name", "due"), [("always", True), ("unless-stopped", False)])
def test_only_always_starts_a_stopped_container_with_the_daemon(name: str, due: bool) -> None:
    """That is the difference between the two."""
    policy = RestartPolicy(name)

    assert due == is_due_at_boot(policy, exit_code=0, failures=1, stop_asked=True)


def test_back_off_doubles_up_to_a_minute() -> None:
    """100 ms, 200 ms, ... 1 min, however often."""
    assert [0.1, 0.2, 0.4] == [back_off_s(attempt) for attempt in range(3)]
    assert back_off_s(10_000) == 60


def test_ten_seconds_up_begin_the_back_off_anew() -> None:
    """A container that ran well has earned a quick restart."""
    assert has_settled(10_000_000_000)
    assert not has_settled(9_999_999_999)


@pytest.mark.parametrize(
    ("policy", "auto_remove"),
    [
        (RestartPolicy("sometimes"), False),
        (RestartPolicy("always", 3), False),
        (RestartPolicy("on-failure", -1), False),
        (RestartPolicy("always"), True),
    ],
)
def test_senseless_policies_are_refused(policy: RestartPolicy, auto_remove: bool) -> None:
    """Before a container is made."""
    with pytest.raises(InvalidArgument):
        check(policy, auto_remove=auto_remove)
