"""Names and MAC addresses of links."""

from __future__ import annotations

import pytest

from api.errors import InvalidArgument
from engine.core.sandbox import host_link_name, mac_of, parse_mac


def test_a_link_has_one_name_that_fits_the_kernel() -> None:
    """IFNAMSIZ leaves 15 letters."""
    name = host_link_name("a" * 64, "b" * 64)

    assert name == host_link_name("a" * 64, "b" * 64)
    assert name != host_link_name("a" * 64, "c" * 64)
    assert len(name) <= 15


def test_the_mac_follows_from_the_address() -> None:
    """As Docker's default."""
    assert mac_of("172.17.0.2") == "02:42:ac:11:00:02"


@pytest.mark.parametrize(
    "text", ["", "02:42", "02:42:ac:11:00:0g", "0242ac110002", "2:42:ac:11:0:2"]
)
def test_what_is_no_mac_is_refused(text: str) -> None:
    """With the user's text."""
    with pytest.raises(InvalidArgument, match="invalid MAC address"):
        parse_mac(text)
