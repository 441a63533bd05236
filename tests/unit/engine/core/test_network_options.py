"""Options of networks."""

from __future__ import annotations

import pytest

from api.errors import SkepError
from engine.core.network_options import parse_options

ID = "a1b2c3d4e5f60718" * 4
BRIDGE = "com.docker.network.bridge."


def test_a_bridge_is_named_by_its_network_and_has_the_daemons_mtu() -> None:
    """Fifteen letters, as the kernel allows."""
    found = parse_options("bridge", {}, ID, 1400)

    assert (found.bridge, found.mtu, found.routed) == ("br-a1b2c3d4e5f6", 1400, ())


def test_bridge_options_are_read() -> None:
    """All that the engine knows."""
    options = {
        BRIDGE + "name": "mine",
        BRIDGE + "enable_icc": "false",
        BRIDGE + "enable_ip_masquerade": "0",
        BRIDGE + "host_binding_ipv4": "127.0.0.1",
        BRIDGE + "gateway_mode_ipv6": "routed",
        "com.docker.network.driver.mtu": "1300",
        "com.docker.network.container_iface_prefix": "net",
    }

    found = parse_options("bridge", options, ID, 1500)

    assert (found.bridge, found.icc, found.masquerade) == ("mine", False, False)
    assert (found.host_ip, found.mtu, found.prefix) == ("127.0.0.1", 1300, "net")
    assert found.routed == (6,)


def test_gateway_modes_are_told_apart_by_family() -> None:
    """Docker's four; an isolated network is an internal one."""
    options = {
        BRIDGE + "gateway_mode_ipv4": "nat-unprotected",
        BRIDGE + "gateway_mode_ipv6": "isolated",
    }

    found = parse_options("bridge", options, ID, 1500, internal=True)

    assert ((4,), (6,), ()) == (found.unprotected, found.isolated, found.routed)


def test_children_have_a_mode_and_a_parent() -> None:
    """Without one they get an interface that leads nowhere; the mtu is the parent's."""
    given = parse_options("macvlan", {"parent": "eth0.7", "macvlan_mode": "vepa"}, ID, 1500)
    default = parse_options("ipvlan", {}, ID, 1500)

    assert (given.parent, given.mode, given.mtu, given.bridge) == ("eth0.7", "vepa", 0, "")
    assert (default.parent, default.mode) == ("dm-a1b2c3d4e5f6", "l2")


@pytest.mark.parametrize(
    ("driver", "options", "words"),
    [
        ("nope", {}, 'could not find network driver "nope"'),
        ("host", {}, 'could not find network driver "host"'),
        ("bridge", {BRIDGE + "name": "a b"}, "invalid bridge name"),
        ("bridge", {BRIDGE + "name": "x" * 16}, "invalid bridge name"),
        ("bridge", {BRIDGE + "enable_icc": "maybe"}, "enable_icc"),
        ("bridge", {BRIDGE + "gateway_mode_ipv4": "isolated"}, "for an internal network"),
        ("bridge", {BRIDGE + "gateway_mode_ipv6": "open"}, "unknown gateway mode open"),
        ("bridge", {BRIDGE + "host_binding_ipv4": "x"}, "invalid host address"),
        ("bridge", {"com.docker.network.driver.mtu": "9" * 30}, "mtu"),
        ("bridge", {"com.docker.network.container_iface_prefix": "../x"}, "iface_prefix"),
        ("macvlan", {"macvlan_mode": "l2"}, "requested macvlan mode 'l2' is not valid"),
        ("ipvlan", {"ipvlan_mode": "bridge"}, "'l2' mode is the ipvlan driver default"),
        ("macvlan", {"parent": "lo"}, "loopback interface is not a valid macvlan parent"),
        ("macvlan", {"parent": "a/b"}, "invalid parent interface"),
    ],
)
def test_bad_options_are_refused(driver: str, options: dict[str, str], words: str) -> None:
    """With a word on which."""
    with pytest.raises(SkepError, match=words):
        parse_options(driver, options, ID, 1500)
