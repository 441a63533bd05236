"""Who a process runs as."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidArgument
from engine.core.users import IdOutOfRange, NoSuchGroup, NoSuchUser, User, resolve_user

PASSWD = b"root:x:0:0:root:/root:/bin/sh\nbroken\n1000:x:0:0::/:\napp:x:1001:1002::/app:\n"
GROUP = b"root:x:0:\nwheel:x:10:root,app\napp:x:1002:\nbad:x:y:app\nextra:x:20:app\n"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", User(0, 0, (0, 10))),
        ("root", User(0, 0, (0, 10))),
        ("app", User(1001, 1002, (1002, 10, 20))),
        ("1001", User(1001, 1002, (1002, 10, 20))),
        ("5:6", User(5, 6, (6,))),
        ("app:wheel", User(1001, 10, (10,))),
        ("app:", User(1001, 1002, (1002, 10, 20))),
        ("77", User(77, 0, (0,))),
    ],
)
def test_name_and_number_are_looked_up(spec: str, expected: User) -> None:
    assert expected == resolve_user(spec, PASSWD, GROUP)


def test_number_is_never_taken_for_a_name() -> None:
    """CVE-2026-46680: the image has an account named 1000 that is root."""
    assert resolve_user("1000", PASSWD, GROUP).uid == 1000


@pytest.mark.parametrize("spec", ["2147483648", "4294967295", "-1", "0:-1", "99999999999999999999"])
def test_id_beyond_31_bits_is_refused(spec: str) -> None:
    with pytest.raises(IdOutOfRange):
        resolve_user(spec, PASSWD, GROUP)


def test_unknown_names_are_told_in_the_references_words() -> None:
    with pytest.raises(NoSuchUser, match="unable to find user x: no matching entries in passwd"):
        resolve_user("x", PASSWD, GROUP)
    with pytest.raises(NoSuchGroup, match="unable to find group y: no matching entries in group"):
        resolve_user("app:y", PASSWD, GROUP)


def test_added_groups_come_last_and_once() -> None:
    user = resolve_user("app", PASSWD, GROUP, ["wheel", "99", "99"])

    assert user.groups == (1002, 10, 20, 99)


@given(st.text(max_size=40), st.binary(max_size=200), st.binary(max_size=200))
def test_whatever_the_image_holds_the_identity_is_in_range_or_refused(
    spec: str, passwd: bytes, group: bytes
) -> None:
    try:
        user = resolve_user(spec, passwd, group)
    except InvalidArgument:
        return

    assert all(0 <= each < 2**31 for each in (user.uid, user.gid, *user.groups))
