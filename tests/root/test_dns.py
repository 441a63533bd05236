"""Names of containers, asked by containers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import pytest

from tests.root.name_client import ask_inside, outside_server, question, send_inside, unused_address
from tests.root.node import Node

SLEEP = ("busybox", "sleep", "1000")


@pytest.fixture
def network(daemon: Node) -> Iterator[str]:
    """Lend a user-defined network."""
    name = f"net_{secrets.token_hex(3)}"
    daemon.docker("network", "create", name)
    yield name
    daemon.remove_containers()
    daemon.docker("network", "rm", name)


def start(daemon: Node, network: str, name: str, *flags: str) -> str:
    """Run a container on a network; return the path of its namespace."""
    daemon.docker("run", "-d", "--name", name, "--network", network, *flags, *SLEEP)
    return namespace(daemon, name)


def namespace(daemon: Node, name: str) -> str:
    """Return the path of a container's namespace."""
    shown = daemon.docker("inspect", "-f", "{{.NetworkSettings.SandboxKey}}", name)
    return shown.stdout.strip()


def address(daemon: Node, name: str, network: str) -> str:
    """Return a container's address on a network."""
    template = f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
    return daemon.docker("inspect", "-f", template, name).stdout.strip()


def lookup(daemon: Node, name: str, wanted: str) -> str:
    """Return what nslookup says in a container."""
    return daemon.docker("exec", name, "nslookup", wanted, check=False).stdout


def test_containers_find_one_another_by_every_name(daemon: Node, network: str) -> None:
    """Name, alias, short id, host name, with the network's name behind, and backwards."""
    start(daemon, network, "db1", "--network-alias", "db", "--hostname", "store")
    start(daemon, network, "web1")
    short_id = daemon.docker("inspect", "-f", "{{slice .Id 0 12}}", "db1").stdout.strip()
    where = address(daemon, "db1", network)

    for name in ("db1", "DB", short_id, "store", f"db1.{network}"):
        assert where in lookup(daemon, "web1", name), name
    assert f"name = db1.{network}" in lookup(daemon, "web1", where)


def test_a_link_is_a_name_for_one_container_alone(daemon: Node, network: str) -> None:
    """`--link` on a user-defined network."""
    start(daemon, network, "db1")
    start(daemon, network, "web1", "--link", "db1:sql")
    start(daemon, network, "other1")
    where = address(daemon, "db1", network)

    assert where in lookup(daemon, "web1", "sql")
    assert where not in lookup(daemon, "other1", f"sql.{network}")


def test_resolv_conf_names_the_resolver_and_the_users_wishes(daemon: Node, network: str) -> None:
    """The user's servers are asked by the resolver."""
    start(daemon, network, "web1", "--dns", "192.0.2.9", "--dns-search", "example.org")

    text = daemon.docker("exec", "web1", "cat", "/etc/resolv.conf").stdout

    assert text == "nameserver 127.0.0.11\nsearch example.org\noptions ndots:0\n"


def test_the_default_bridge_has_no_names(daemon: Node) -> None:
    """As the reference has it."""
    daemon.docker("run", "-d", "--name", "web1", *SLEEP)

    text = daemon.docker("exec", "web1", "cat", "/etc/resolv.conf").stdout

    assert "127.0.0.11" not in text


def test_a_name_follows_rename_and_removal(daemon: Node, network: str) -> None:
    """At once."""
    start(daemon, network, "old1")
    start(daemon, network, "web1")
    where = address(daemon, "old1", network)

    daemon.docker("rename", "old1", "new1")
    assert where in lookup(daemon, "web1", "new1")
    assert where not in lookup(daemon, "web1", f"old1.{network}")
    daemon.docker("rm", "-f", "new1")
    assert where not in lookup(daemon, "web1", f"new1.{network}")


def test_a_server_on_port_53_of_all_addresses_has_its_port(daemon: Node, network: str) -> None:
    """Many run a DNS server in a container: the resolver must not be in its way."""
    inside = start(daemon, network, "web1")

    daemon.docker("exec", "-d", "web1", "nc", "-l", "-p", "53", "-e", "true")
    daemon.docker("exec", "-d", "web1", "nc", "-u", "-l", "-p", "53", "-e", "true")

    assert ask_inside(inside, question("web1"))[0][3] & 15 == 0


def test_other_names_are_asked_outside_over_both_transports(daemon: Node, network: str) -> None:
    """From the host's network: its loopback counts. What was cut comes whole over TCP."""
    with outside_server() as outside:
        inside = start(daemon, network, "web1", "--dns", outside.address)

        (small,) = ask_inside(inside, question("example.org"))
        (cut,) = ask_inside(inside, question("big.example.org"))
        first, whole = ask_inside(inside, question("web1"), question("big.example.org"), tcp=True)

    assert small.endswith(bytes([192, 0, 2, 1]))
    assert cut[2] & 2
    assert first[6:8] == b"\0\1"
    assert not whole[2] & 2
    assert whole[6:8] == bytes([0, 60])
    assert outside.asked == ["example.org", "big.example.org", "big.example.org"]


def test_names_of_ours_stay_inside(daemon: Node, network: str) -> None:
    """Whatever type is asked, and after the container is gone."""
    with outside_server() as outside:
        inside = start(daemon, network, "web1", "--dns", outside.address)
        packets = [question("web1", kind) for kind in (1, 15, 28, 65)]
        packets += [question(f"gone.{network}")]

        answers = ask_inside(inside, *packets)

    assert [each[3] & 15 for each in answers] == [0, 0, 0, 0, 3]
    assert outside.asked == []


def test_an_internal_network_asks_nobody(daemon: Node) -> None:
    """CVE-2024-29018."""
    daemon.docker("network", "create", "--internal", "inner1")
    try:
        with outside_server() as outside:
            inside = start(daemon, "inner1", "web1", "--dns", outside.address)
            (answer,) = ask_inside(inside, question("secret.example.org"))
        daemon.remove_containers()
    finally:
        daemon.docker("network", "rm", "inner1")

    assert answer[3] & 15 == 2
    assert outside.asked == []


def test_a_silent_server_gives_a_failure_and_holds_nobody_up(daemon: Node, network: str) -> None:
    """Our own names are answered while others wait."""
    inside = start(daemon, network, "web1", "--dns", unused_address())

    begin = time.monotonic()
    refused, own = ask_inside(inside, question("example.org"), question("web1"))

    assert refused[3] & 15 == 2
    assert own[3] & 15 == 0
    assert time.monotonic() - begin < 4


def test_garbage_is_ignored(daemon: Node, network: str) -> None:
    """And the resolver goes on, over both transports."""
    inside = start(daemon, network, "web1")
    garbage = b"\xff" * 512, b"\0", question("web1")[:-2], b"\0" * 12

    send_inside(inside, *garbage)
    (over_tcp,) = ask_inside(inside, b"\xff" * 40, tcp=True)

    assert over_tcp == b""
    assert ask_inside(inside, question("web1"))[0][3] & 15 == 0


def test_a_killed_daemon_answers_again_after_its_start(killable_daemon: Node) -> None:
    """With the same container, and the same client port."""
    killable_daemon.docker("network", "create", "mine")
    inside = start(killable_daemon, "mine", "web1")
    before = ask_inside(inside, question("web1"))

    killable_daemon.kill()
    killable_daemon.start()

    assert ask_inside(inside, question("web1")) == before
    killable_daemon.remove_containers()
    killable_daemon.docker("network", "rm", "mine")
    assert not any(killable_daemon.leftovers().values())
