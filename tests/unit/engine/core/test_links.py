"""Links of the default bridge."""

from __future__ import annotations

import pytest

from engine.core.links import link_environment, parse_link


@pytest.mark.parametrize(
    ("text", "parsed"),
    [("db:sql", ("db", "sql")), ("db", ("db", "db")), ("/db:/web/sql", ("db", "sql"))],
)
def test_links_are_read(text: str, parsed: tuple[str, str]) -> None:
    """As a user writes them and as inspect shows them."""
    assert parse_link(text) == parsed


def test_a_link_tells_address_ports_and_variables() -> None:
    """As Docker names them; the lowest port is the link's own."""
    ports = ["5433/tcp", "53/udp", "x"]

    told = link_environment("web", "my-db", "172.17.0.2", ports, ["A=b", "HOME=/root"])

    assert told[:3] == [
        "MY_DB_NAME=/web/my-db",
        "MY_DB_PORT=udp://172.17.0.2:53",
        "MY_DB_PORT_53_UDP=udp://172.17.0.2:53",
    ]
    assert "MY_DB_PORT_5433_TCP_ADDR=172.17.0.2" in told
    assert told[-1] == "MY_DB_ENV_A=b"
