"""Image names mean what the docker command means by them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.references import InvalidReference, Reference, is_digest, parse_normalized

SHA = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "complete", "familiar"),
    [
        ("busybox", "docker.io/library/busybox", "busybox"),
        ("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
        ("library/busybox", "docker.io/library/busybox", "busybox"),
        ("docker.io/busybox", "docker.io/library/busybox", "busybox"),
        ("index.docker.io/busybox", "docker.io/library/busybox", "busybox"),
        ("index.docker.io/a/b", "docker.io/a/b", "a/b"),
        ("a/b", "docker.io/a/b", "a/b"),
        ("library/a/b", "docker.io/library/a/b", "library/a/b"),
        ("localhost/a", "localhost/a", "localhost/a"),
        ("localhost:5000/a:t", "localhost:5000/a:t", "localhost:5000/a:t"),
        ("host:5000", "docker.io/library/host:5000", "host:5000"),
        ("quay.io/a", "quay.io/a", "quay.io/a"),
        ("Upper/a", "Upper/a", "Upper/a"),
        ("[2001:db8::1]:5000/a", "[2001:db8::1]:5000/a", "[2001:db8::1]:5000/a"),
        (f"a@{SHA}", f"docker.io/library/a@{SHA}", f"a@{SHA}"),
        (f"a:t@{SHA}", f"docker.io/library/a:t@{SHA}", f"a:t@{SHA}"),
        ("a__b/c--d/e.f", "docker.io/a__b/c--d/e.f", "a__b/c--d/e.f"),
    ],
)
def test_familiar_names_stand_for_complete_ones(text: str, complete: str, familiar: str) -> None:
    """Both directions, since answers show the familiar form."""
    reference = parse_normalized(text)

    assert complete == str(reference)
    assert familiar == reference.familiar


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid reference format"),
        ("Foo", "invalid reference format: repository name (library/Foo) must be lowercase"),
        ("a/B:t", "invalid reference format: repository name (a/B) must be lowercase"),
        (":tag", "invalid reference format"),
        ("a:", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("-a", "invalid reference format"),
        ("a_-b", "invalid reference format"),
        ("a..b", "invalid reference format"),
        ("a\n", "invalid reference format"),
        ("a:t\n", "invalid reference format"),
        ("a/../b", "invalid reference format"),
        ("a:" + "t" * 129, "invalid reference format"),
        ("a@sha256:ab", "invalid reference format"),
        (f"a@md5:{'ab' * 16}", "unsupported digest algorithm"),
        (f"a@sha256:{'ab' * 31}", "invalid checksum digest length"),
        (f"a@sha256:{'AB' * 32}", "invalid checksum digest format"),
        ("ab" * 32, "cannot specify 64-byte hexadecimal strings"),
        ("q.io/" + "a" * 256, "repository name must not be more than 255 characters"),
        ("a" * 5000 + ".io/x", "invalid reference format"),
        ("\u0430pple", "invalid reference format"),
        ("https://a/b", "invalid reference format"),
    ],
)
def test_what_is_no_name_is_refused_in_dockers_words(text: str, message: str) -> None:
    """Clients match on these texts."""
    with pytest.raises(InvalidReference, match=message.replace("(", r"\(").replace(")", r"\)")):
        parse_normalized(text)


def test_latest_is_the_tag_of_a_name_that_has_none() -> None:
    """A digest needs no tag."""
    assert parse_normalized("a").with_default_tag().tag == "latest"
    assert parse_normalized("a:b").with_default_tag().tag == "b"
    assert not parse_normalized(f"a@{SHA}").with_default_tag().tag


def test_a_wrong_tag_or_digest_cannot_be_put_on() -> None:
    """They come from query parameters."""
    with pytest.raises(InvalidReference, match="invalid tag format"):
        parse_normalized("a").with_tag("../x")
    with pytest.raises(InvalidReference):
        parse_normalized("a").with_digest("sha256:../../etc")
    assert is_digest(SHA)
    assert not is_digest("latest")


_COMPONENTS = st.from_regex(r"[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}", fullmatch=True)
_REFERENCES = st.builds(
    Reference,
    domain=st.sampled_from(["docker.io", "localhost:5000", "quay.io", "[::1]:80", "Reg"]),
    path=st.lists(_COMPONENTS, min_size=1, max_size=4).map("/".join),
    tag=st.one_of(st.just(""), st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)),
    digest=st.sampled_from(["", SHA]),
).map(lambda made: parse_normalized(str(made)))


@given(_REFERENCES)
def test_every_name_survives_being_written_and_read(reference: Reference) -> None:
    """The complete form always; the familiar form too, since that is what people type."""
    assert reference == parse_normalized(str(reference))
    if reference.familiar_name != "library" and "." not in reference.familiar_name.split("/")[0]:
        assert reference == parse_normalized(reference.familiar)


@given(st.text(max_size=80))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Only InvalidReference comes out, and what is accepted is canonical."""
    try:
        reference = parse_normalized(text)
    except InvalidReference:
        return

    assert reference == parse_normalized(str(reference))
