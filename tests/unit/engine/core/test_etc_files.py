"""The files of /etc as Docker writes them."""

from __future__ import annotations

import pytest

from api.errors import InvalidArgument
from engine.core.etc_files import extra_host, hosts_file, resolv_conf


def test_hosts_names_the_container_last() -> None:
    """With its domain first where it has one."""
    lines = hosts_file("web", "lan", ["172.17.0.2"], ["db:10.0.0.5"]).splitlines()

    assert lines[0] == "127.0.0.1\tlocalhost"
    assert lines[-2:] == ["10.0.0.5\tdb", "172.17.0.2\tweb.lan web"]


def test_host_gateway_becomes_the_gateway() -> None:
    """Docker run --add-host host.docker.internal:host-gateway."""
    text = hosts_file("a", "", [], ["host.docker.internal:host-gateway"], "172.17.0.1")

    assert "172.17.0.1\thost.docker.internal\n" in text


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("a:1.2.3.4", ("a", "1.2.3.4")),
        ("a=::1", ("a", "::1")),
        ("a:[::1]", ("a", "::1")),
        ("a:fd00::2", ("a", "fd00::2")),
    ],
)
def test_an_extra_host_is_read(entry: str, expected: tuple[str, str]) -> None:
    """Both separators, both families."""
    assert expected == extra_host(entry)


@pytest.mark.parametrize("entry", ["", "a", ":1.2.3.4", "a:", "a:b", "a b:1.2.3.4", "a\nb:1.2.3.4"])
def test_a_bad_extra_host_is_refused(entry: str) -> None:
    """A line break would write lines of its own."""
    with pytest.raises(InvalidArgument, match="add-host"):
        extra_host(entry)


def test_resolvers_on_the_hosts_loopback_are_left_out() -> None:
    """A container's loopback is another one."""
    text = resolv_conf("nameserver 127.0.0.53\nnameserver 10.0.0.2\nsearch lan\noptions edns0\n")

    assert text == "nameserver 10.0.0.2\nsearch lan\noptions edns0\n"


@pytest.mark.parametrize("host", ["", "nameserver 127.0.0.1\n", "nameserver fe80::1%eth0\n"])
def test_docker_public_resolvers_stand_in(host: str) -> None:
    """When nothing else is left."""
    assert resolv_conf(host) == "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"


def test_what_was_asked_for_replaces_the_hosts_part() -> None:
    """Each part on its own; "." means no search domain."""
    host = "nameserver 10.0.0.2\nsearch lan\noptions edns0\n"

    assert resolv_conf(host, ["127.0.0.1"], ["."], ["ndots:2"]) == (
        "nameserver 127.0.0.1\noptions ndots:2\n"
    )


def test_the_hosts_network_has_the_hosts_resolvers() -> None:
    """Loopback included."""
    text = resolv_conf("# made by hand\nnameserver 127.0.0.53\n", in_host_mode=True)

    assert text == "nameserver 127.0.0.53\n"
