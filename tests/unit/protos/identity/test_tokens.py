"""Join tokens and unlock keys: Docker's forms, and nothing else."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.swarm_errors import InvalidUnlockKey, MalformedJoinToken
from protos.identity.tokens import (
    new_join_token,
    new_unlock_key,
    parse_join_token,
    parse_unlock_key,
    unlock_key_text,
)

SECRET = "0" * 25


def test_token_has_dockers_form() -> None:
    text = new_join_token(b"root").text()

    assert re.fullmatch(r"SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}", text)


def test_token_pins_the_root_by_its_sha256() -> None:
    token = new_join_token(b"root")

    assert hashlib.sha256(b"root").digest() == token.root_digest


def test_no_two_tokens_share_a_secret() -> None:
    assert new_join_token(b"root").secret != new_join_token(b"root").secret


@given(st.binary(max_size=64))
def test_token_survives_being_copied(root: bytes) -> None:
    token = new_join_token(root)

    assert token == parse_join_token(f"  {token.text()}\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SWMTKN-1-",
        f"SWMTKN-2-{'0' * 50}-{SECRET}",
        f"SWMTKN-1-{'0' * 49}-{SECRET}",
        f"SWMTKN-1-{'z' * 50}-{SECRET}",  # more than 256 bits
        f"SWMTKN-1-{'0' * 50}-{SECRET}0",
        f"SWMTKN-1-{'0' * 50}-{SECRET.replace('0', 'A')}",
        f"SWMTKN-1-{'0' * 50}-{SECRET}\x00",
        "٣" * 90,
    ],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(MalformedJoinToken):
        parse_join_token(text)


def test_repr_tells_no_secret() -> None:
    token = new_join_token(b"root")

    assert token.secret not in repr(token)


def test_unlock_key_has_dockers_form() -> None:
    text = unlock_key_text(new_unlock_key())

    assert re.fullmatch(r"SWMKEY-1-[0-9A-Za-z+/]{43}", text)


@given(st.binary(min_size=32, max_size=32))
def test_unlock_key_survives_being_copied(key: bytes) -> None:
    assert key == parse_unlock_key(f" {unlock_key_text(key)}\n")


@pytest.mark.parametrize("text", ["", "SWMKEY-1-", "SWMKEY-1-%%%", "AAAA", "SWMKEY-1-" + "A" * 44])
def test_what_is_no_unlock_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidUnlockKey):
        parse_unlock_key(text)
