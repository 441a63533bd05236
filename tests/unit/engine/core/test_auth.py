"""Challenges are read as RFC 9110 writes them, and credentials go where they belong."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import Forbidden, InvalidArgument
from api.types.registry import AuthConfig
from engine.core.auth import (
    Challenge,
    MalformedAuth,
    auth_from_header,
    basic,
    check_realm,
    is_inward,
    parse_challenges,
    read_token,
    refresh_form,
    token_query,
)


def encoded(document: object) -> str:
    """Return a header's value as the docker command makes it."""
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()


def test_the_header_gives_the_credentials() -> None:
    """Padded or not."""
    header = encoded({"username": "ann", "password": "p?>w", "serveraddress": "r.io"})
    expected = AuthConfig(username="ann", password="p?>w", serveraddress="r.io")

    assert expected == auth_from_header(header)
    assert expected == auth_from_header(header.rstrip("="))


@pytest.mark.parametrize("header", ["", "  ", encoded({}), encoded(None)])
def test_a_header_that_says_nothing_is_none(header: str) -> None:
    """The docker command always sends one."""
    assert auth_from_header(header) is None


@pytest.mark.parametrize(
    "header",
    ["%%%", "abc", encoded([]), encoded({"username": 1}), encoded({"auth": "?"}), "A" * 100_000],
)
def test_a_malformed_header_is_refused(header: str) -> None:
    """400, never a pull without the credentials that were meant."""
    with pytest.raises(MalformedAuth, match="invalid X-Registry-Auth header"):
        auth_from_header(header)


def test_the_auth_field_is_user_and_password() -> None:
    """As config.json keeps them."""
    pair = base64.b64encode(b"ann:a:b").decode()

    auth = auth_from_header(encoded({"auth": pair}))

    assert auth is not None
    assert ("ann", "a:b") == (auth.username, auth.password)
    assert basic(auth) == f"Basic {pair}"


def test_credentials_do_not_show() -> None:
    """In tracebacks and logs (attack 22)."""
    assert "secret" not in repr(AuthConfig(username="a", password="secret"))


def test_challenges_are_read_with_their_quoting() -> None:
    """Two in one header, commas and escapes inside the quotes."""
    header = 'Bearer realm="https://a/t?x=1,2",service="a \\"b\\"", scope=pull, Basic realm="z"'

    assert [
        Challenge("bearer", {"realm": "https://a/t?x=1,2", "service": 'a "b"', "scope": "pull"}),
        Challenge("basic", {"realm": "z"}),
    ] == parse_challenges([header])
    assert [Challenge("negotiate"), Challenge("basic", {"realm": "q"})] == parse_challenges(
        ["Negotiate", 'BASIC realm="q"']
    )


@given(st.text())
def test_no_challenge_breaks_the_parser(text: str) -> None:
    """Registries send what they like."""
    for challenge in parse_challenges([text]):
        assert challenge.scheme


@pytest.mark.parametrize(
    "realm",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/",
        "https://localhost/token",
        "https://127.0.0.1/token",
        "https://[::1]/token",
        "https://[::ffff:127.0.0.1]/token",
        "https://2130706433/token",
        "https://0x7f000001/token",
        "http://auth.r.io/token",
        "https://user:pw@auth.r.io/",
        "file:///etc/passwd",
        "https://",
        "https://a:99999/",
        "https://[::1",
        "",
    ],
)
def test_a_registry_cannot_send_us_where_it_likes(realm: str) -> None:
    """Attack 9: a realm at an internal address, without TLS, or no address at all."""
    with pytest.raises(Forbidden):
        check_realm(realm, "https://r.io", may_be_plain=False)


def test_a_realm_beside_its_registry_is_fine() -> None:
    """The usual ones, and a test registry on the loopback."""
    check_realm("https://auth.docker.io/token", "https://registry-1.docker.io", may_be_plain=False)
    check_realm("http://127.0.0.1:5001/t", "http://127.0.0.1:5000", may_be_plain=True)
    assert not is_inward("r.io")


def test_a_token_is_asked_for_by_scope_and_service() -> None:
    """The query of the token specification, and the form of OAuth2."""
    challenge = Challenge("bearer", {"realm": "x", "service": "r.io", "scope": "repository:a:pull"})

    assert "account=ann&scope=repository%3Ab%3Apull&service=r.io" == token_query(
        challenge, "repository:b:pull", AuthConfig(username="ann", password="p")
    )
    assert "scope=repository%3Aa%3Apull&service=r.io" == token_query(challenge, "", None)
    assert "refresh_token" == refresh_form(challenge, "", "t")["grant_type"]


def test_a_token_lives_a_minute_unless_it_says_otherwise() -> None:
    """And never longer than a day, whatever it says."""
    assert 60 == read_token(b'{"token":"a"}').life_s
    assert 300 == read_token(b'{"access_token":"a","expires_in":300}').life_s
    assert 86_400 == read_token(b'{"token":"a","expires_in":1e300}').life_s


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[", b'{"token":"a\\r\\nX: y"}', b'{"token":1}', b"[" * 100_000]
)
def test_a_token_that_is_none_is_refused(body: bytes) -> None:
    """It becomes a header."""
    with pytest.raises(InvalidArgument):
        read_token(body)
