"""What addresses are chosen for what users say, or do not say.

The messages are matched on by the docker CLI and by people's scripts.
"""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from agent.core.addresses import Addresses, BadAddress, Interface, Machine, choose, remote, split


def machine(*interfaces: str, default: str = "") -> Machine:
    """Return a machine of interfaces written as `name address address`."""
    made = []
    for text in interfaces:
        name, *addresses = text.split()
        made.append(Interface(name, tuple(map(ip_address, addresses))))
    return Machine(made, ("172.17.0.0/16", "fd00:1::/64"), default)


ONE = machine("eth0 192.0.2.10 fe80::1", "docker0 172.17.0.1")
TWO_ON_ONE = machine("eth0 192.0.2.10 192.0.2.11")
TWO = machine("eth0 192.0.2.10", "eth1 198.51.100.1")


def test_the_only_address_is_advertised_on_the_default_port() -> None:
    expected = Addresses("0.0.0.0:2377", "192.0.2.10:2377", "", "192.0.2.10")

    assert expected == choose(ONE, "", "", "")
    assert expected == choose(ONE, "0.0.0.0:2377", "", "")


@pytest.mark.parametrize(
    ("listen", "advertise", "expected"),
    [
        ("", "eth1", ("0.0.0.0:2377", "198.51.100.1:2377", "198.51.100.1")),
        ("", "eth1:4000", ("0.0.0.0:2377", "198.51.100.1:4000", "198.51.100.1")),
        ("", "192.0.2.10", ("0.0.0.0:2377", "192.0.2.10:2377", "192.0.2.10")),
        ("eth1:4000", "192.0.2.10", ("198.51.100.1:4000", "192.0.2.10:4000", "198.51.100.1")),
        ("0.0.0.0:4000", "eth0", ("0.0.0.0:4000", "192.0.2.10:4000", "192.0.2.10")),
        ("eth0", "203.0.113.7:99", ("192.0.2.10:2377", "203.0.113.7:99", "192.0.2.10")),
        ("[::]:2377", "[2001:db8::1]:5", ("[::]:2377", "[2001:db8::1]:5", "2001:db8::1")),
        ("", "127.0.0.1", ("0.0.0.0:2377", "127.0.0.1:2377", "127.0.0.1")),
    ],
)
def test_addresses_and_names_of_interfaces(
    listen: str, advertise: str, expected: tuple[str, str, str]
) -> None:
    host = machine("eth0 192.0.2.10", "eth1 198.51.100.1", "eth2 2001:db8::1")

    found = choose(host, listen, advertise, "")

    assert expected == (found.listen, found.advertise, found.local)


def test_data_path_is_an_interface_or_an_address() -> None:
    assert "198.51.100.1" == choose(TWO, "", "eth0", "eth1").data_path
    assert "203.0.113.1" == choose(TWO, "", "eth0", "203.0.113.1").data_path


def test_the_configured_default_is_advertised() -> None:
    host = machine("eth0 192.0.2.10", "eth1 198.51.100.1", default="eth1")

    assert "198.51.100.1:2377" == choose(host, "", "", "").advertise
    assert "192.0.2.10:2377" == choose(host, "", "eth0", "").advertise


@pytest.mark.parametrize(
    ("host", "listen", "advertise", "data_path", "message"),
    [
        (
            TWO_ON_ONE, "", "", "",
            "could not choose an IP address to advertise since this system has multiple addresses "
            "on interface eth0 (192.0.2.10 and 192.0.2.11)",
        ),
        (
            TWO, "", "", "",
            "could not choose an IP address to advertise since this system has multiple addresses "
            "on different interfaces (192.0.2.10 on eth0 and 198.51.100.1 on eth1)",
        ),
        (machine("docker0 172.17.0.1"), "", "", "", "could not find the system's IP address"),
        (
            TWO_ON_ONE, "", "eth0", "",
            "interface eth0 has more than one IPv4 address (192.0.2.10 and 192.0.2.11)",
        ),
        (
            machine("eth0"), "", "eth0", "",
            "interface eth0 has no usable IPv4 or IPv6 address",
        ),
        (
            TWO, "", "203.0.113.7", "",
            "must specify a listening address because the address to advertise is not recognized "
            "as a system address, and a system's IP address to use could not be uniquely "
            "identified",
        ),
        (
            ONE, "nonsense", "", "",
            "listen address must be an IP address or network interface (with optional port number)",
        ),
        (
            ONE, "", "0.0.0.0", "",
            "advertise address must be a non-zero IP address or network interface (with optional "
            "port number)",
        ),
        (
            ONE, "", "", "eth7",
            "data path address must be a non-zero IP address or network interface (without a port "
            "number)",
        ),
        (
            machine("eth0 192.0.2.10", default="eth9"), "", "", "",
            "default advertise address must be a non-zero IP address or network interface "
            "(without a port number)",
        ),
        (ONE, "", "eth0:x", "", "invalid port in address eth0:x: x"),
        (ONE, "", "eth0:99999", "", "invalid port in address eth0:99999: 99999"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_the_words_of_the_reference(
    host: Machine, listen: str, advertise: str, data_path: str, message: str
) -> None:
    with pytest.raises(BadAddress) as caught:
        choose(host, listen, advertise, data_path)

    assert message == caught.value.message


def test_ipv4_is_preferred_on_an_interface_with_both() -> None:
    host = machine("eth0 2001:db8::5 192.0.2.10")

    assert "192.0.2.10:2377" == choose(host, "", "", "").advertise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1:2377"),
        ("192.0.2.1:99", "192.0.2.1:99"),
        ("tcp://m.example:99", "m.example:99"),
        ("2001:db8::1", "[2001:db8::1]:2377"),
        ("[2001:db8::1]", "[2001:db8::1]:2377"),
    ],
)
def test_a_remote_address_has_a_port_in_the_end(text: str, expected: str) -> None:
    assert expected == remote(text)


@pytest.mark.parametrize("text", ["", "http://x", "a b", ":2377", "x:0"])
def test_a_remote_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        remote(text)


def test_a_bare_ipv6_address_has_no_port() -> None:
    assert ("2001:db8::1", 7) == split("2001:db8::1", 7)
