"""Versions in paths."""

from __future__ import annotations

import pytest

from api.versions import CURRENT, VersionTooNew, VersionTooOld, split_version, understood


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1.24/info", ((1, 24), "/info")),
        ("/v1.56/a/b", ((1, 56), "/a/b")),
        ("/info", (CURRENT, "/info")),
        ("/volumes/v1.30", (CURRENT, "/volumes/v1.30")),
        ("/v1.40", (CURRENT, "/v1.40")),
        ("/v1.x/info", (CURRENT, "/v1.x/info")),
    ],
)
def test_version_is_split_from_the_path(path: str, expected: tuple[tuple[int, int], str]) -> None:
    assert expected == split_version(path)


@pytest.mark.parametrize("version", ["1.23", "0.99", "1.9"])
def test_versions_compare_as_numbers(version: str) -> None:
    """1.9 is older than 1.24."""
    with pytest.raises(VersionTooOld, match=f"^client version {version} is too old"):
        split_version(f"/v{version}/info")


@pytest.mark.parametrize("version", ["1.57", "2.0", "1.100"])
def test_future_is_refused(version: str) -> None:
    with pytest.raises(VersionTooNew, match=f"^client version {version} is too new"):
        split_version(f"/v{version}/info")


def test_docker_compose_1_gets_what_it_can_read() -> None:
    """It says the newest version and means 1.44 at most; nobody else is held back."""
    compose = "docker-compose/1.29.2 docker-py/5.0.3 Linux/6.1"

    assert (1, 44) == understood(CURRENT, compose)
    assert (1, 30) == understood((1, 30), compose)
    assert CURRENT == understood(CURRENT, "Docker-Client/28.0 (linux)")
