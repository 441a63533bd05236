"""Registries are asked at the right place, with TLS unless told otherwise."""

from __future__ import annotations

import pytest

from engine.core.registry_endpoints import endpoints, is_insecure


def urls(domain: str, insecure: tuple[str, ...] = (), mirrors: tuple[str, ...] = ()) -> list[str]:
    """Return the URLs that are tried."""
    return [each.url for each in endpoints(domain, insecure, mirrors)]


def test_a_registry_is_asked_with_tls() -> None:
    """And nothing else."""
    assert ["https://quay.io"] == urls("quay.io", mirrors=("https://m.io",))


def test_mirrors_come_before_docker_hub() -> None:
    """For docker.io alone."""
    assert ["https://m.io", "https://registry-1.docker.io"] == urls(
        "docker.io", mirrors=("https://m.io/",)
    )


def test_an_insecure_registry_is_asked_with_tls_first() -> None:
    """As Docker does."""
    assert ["https://127.0.0.1:5000", "http://127.0.0.1:5000"] == urls("127.0.0.1:5000")


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("localhost:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("10.1.2.3:5000", True),
        ("r.local", True),
        ("r.local:5000", True),
        ("s.local:5000", True),
        ("s.local", False),
        ("11.0.0.1", False),
        ("localhost.evil.io", False),
        ("127.0.0.1.evil.io", False),
    ],
)
def test_insecure_are_the_loopback_and_what_is_listed(domain: str, expected: bool) -> None:
    """By name, by name and port, by range."""
    assert expected is is_insecure(domain, ["10.0.0.0/8", "r.local", "s.local:5000", "nonsense"])
