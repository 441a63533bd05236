"""docker network connect and disconnect, by the docker command."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from tests.root.node import Node, wait_until

SLEEP = ("busybox", "sleep", "1000")
WEB = ("busybox", "sh", "-c", "mkdir /w; echo hello > /w/index.html; httpd -f -h /w")


@pytest.fixture
def networks(daemon: Node) -> Iterator[tuple[str, str]]:
    """Lend two user-defined networks; the names are in order."""
    key = secrets.token_hex(3)
    number = secrets.randbelow(250)
    names = f"a{key}", f"b{key}"
    before = table(daemon)
    for place, name in enumerate(names):
        daemon.docker("network", "create", "--subnet", f"10.217.{number}.{place * 128}/25", name)
    yield names
    daemon.remove_containers()
    for name in names:
        daemon.docker("network", "rm", name)
    wait_until(lambda: not daemon.leftovers()["netns"], "the namespaces to go")
    assert table(daemon) == before
    assert not any(daemon.leftovers().values())


def table(daemon: Node) -> str:
    """Return the daemon's firewall table."""
    name = f"skep-{daemon.name}"
    return subprocess.run(
        ["nft", "list", "table", "inet", name], capture_output=True, text=True, check=True
    ).stdout


def inside(daemon: Node, name: str, *command: str) -> str:
    """Return what a command prints in a container."""
    return daemon.docker("exec", name, *command).stdout


def endpoints(daemon: Node, name: str) -> dict[str, dict[str, object]]:
    """Return a container's networks as inspect shows them."""
    text = daemon.docker("inspect", "-f", "{{json .NetworkSettings.Networks}}", name).stdout
    found: dict[str, dict[str, object]] = json.loads(text)
    return found


def refused(daemon: Node, *command: str) -> str:
    """Return the words with which a command fails."""
    done = daemon.docker(*command, check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr


def test_a_running_container_joins_and_leaves(daemon: Node, networks: tuple[str, str]) -> None:
    """Interface, route, hosts file, names and inspect follow at once."""
    one, two = networks
    daemon.docker("run", "-d", "--name", "web1", "--network", one, *SLEEP)
    daemon.docker("run", "-d", "--name", "other1", "--network", two, *SLEEP)

    daemon.docker("network", "connect", "--alias", "shop", two, "web1")

    where = str(endpoints(daemon, "web1")[two]["IPAddress"])
    assert where in inside(daemon, "other1", "nslookup", "shop")
    assert "1 packets received" in inside(daemon, "other1", "ping", "-c1", "web1")
    assert f"{where}\t" in inside(daemon, "web1", "cat", "/etc/hosts")
    assert "eth1" in inside(daemon, "web1", "ip", "link")
    daemon.docker("network", "disconnect", one, "web1")
    assert set(endpoints(daemon, "web1")) == {two}
    assert "eth0" not in inside(daemon, "web1", "ip", "link")
    assert "dev eth1" in inside(daemon, "web1", "ip", "route", "show", "default")


def test_a_stopped_container_starts_with_its_new_networks(
    daemon: Node, networks: tuple[str, str]
) -> None:
    """And without those it left, the last included."""
    one, two = networks
    daemon.docker("create", "--name", "web1", "--network", one, *SLEEP)
    number = json.loads(daemon.docker("network", "inspect", two).stdout)[0]
    subnet = str(number["IPAM"]["Config"][0]["Subnet"]).rsplit(".", 1)[0]

    daemon.docker("network", "connect", "--ip", f"{subnet}.200", two, "web1")
    daemon.docker("network", "disconnect", one, "web1")
    daemon.docker("start", "web1")

    assert endpoints(daemon, "web1")[two]["IPAddress"] == f"{subnet}.200"
    assert set(endpoints(daemon, "web1")) == {two}
    daemon.docker("network", "disconnect", two, "web1")
    daemon.docker("restart", "-t", "0", "web1")
    assert endpoints(daemon, "web1") == {}


def test_several_networks_at_creation_and_the_priority_of_the_gateway(
    daemon: Node, networks: tuple[str, str]
) -> None:
    """The route goes where the priority says; without it to the first by name."""
    one, two = networks
    wish = f"name={two},gw-priority=5"
    daemon.docker("run", "-d", "--name", "web1", "--network", one, "--network", wish, *SLEEP)
    daemon.docker("run", "-d", "--name", "web2", "--network", two, "--network", one, *SLEEP)

    def gateway(name: str, network: str) -> str:
        return str(endpoints(daemon, name)[network]["Gateway"])

    assert gateway("web1", two) in inside(daemon, "web1", "ip", "route", "show", "default")
    assert gateway("web2", one) in inside(daemon, "web2", "ip", "route", "show", "default")


def test_published_ports_follow_the_gateway(daemon: Node, networks: tuple[str, str]) -> None:
    """Under the same host port."""
    one, two = networks
    daemon.docker("run", "-d", "--name", "web1", "--network", two, "-p", "127.0.0.1::80", *WEB)
    port = daemon.docker("port", "web1", "80").stdout

    def served() -> str:
        with urlopen(f"http://{port.strip()}/", timeout=5) as answer:
            return str(answer.read().decode())

    assert served() == "hello\n"
    daemon.docker("network", "connect", one, "web1")
    assert served() == "hello\n"
    daemon.docker("network", "disconnect", two, "web1")
    assert served() == "hello\n"
    assert daemon.docker("port", "web1", "80").stdout == port


def test_a_restarted_daemon_keeps_what_was_connected(killable_daemon: Node) -> None:
    """After a kill, links, names and routes are as they were."""
    killable_daemon.docker("network", "create", "late")
    killable_daemon.docker("run", "-d", "--name", "web1", *SLEEP)
    killable_daemon.docker("network", "connect", "late", "web1")
    before = endpoints(killable_daemon, "web1")

    killable_daemon.kill()
    killable_daemon.start()

    assert endpoints(killable_daemon, "web1") == before
    assert "late" in inside(killable_daemon, "web1", "nslookup", str(before["late"]["IPAddress"]))
    killable_daemon.docker("network", "disconnect", "late", "web1")
    killable_daemon.docker("network", "rm", "late")


def test_events_tell_who_came_and_went(daemon: Node, networks: tuple[str, str]) -> None:
    """With the container's id, the network's name and its driver."""
    one, _ = networks
    daemon.docker("run", "-d", "--name", "web1", *SLEEP)
    daemon.docker("network", "connect", one, "web1")
    daemon.docker("network", "disconnect", one, "web1")

    command = ["events", "--since", "1m", "--until", f"{time.time():.6f}", "--format", "{{json .}}"]
    lines = daemon.docker(*command, "-f", f"network={one}", "-f", "type=network").stdout
    told = [json.loads(line) for line in lines.splitlines()]

    actions = [each["Action"] for each in told]
    assert actions == ["create", "connect", "disconnect"]
    assert told[1]["Actor"]["Attributes"]["type"] == "bridge"
    assert told[1]["Actor"]["Attributes"]["name"] == one


def test_refusals_have_the_references_words(daemon: Node, networks: tuple[str, str]) -> None:
    """Clients match on them; nothing changes."""
    one, two = networks
    daemon.docker("run", "-d", "--name", "web1", "--network", one, *SLEEP)
    daemon.docker("run", "-d", "--name", "host1", "--network", "host", *SLEEP)
    cases = {
        ("connect", one, "web1"): f"endpoint with name web1 already exists in network {one}",
        ("connect", "nope", "web1"): "network nope not found",
        ("connect", one, "nope"): "No such container: nope",
        ("connect", one, "host1"): "sharing network namespace",
        ("connect", "host", "web1"): "connected to host network",
        ("connect", "none", "web1"): "private (none) mode",
        ("connect", "--ip", "172.31.255.9", "bridge", "web1"): "user defined networks only",
        ("connect", "--ip", "192.0.2.9", two, "web1"): "192.0.2.9",
        ("disconnect", two, "web1"): "is not connected to",
        ("disconnect", "-f", two, "web1"): "is not connected to",
    }

    for command, words in cases.items():
        assert words in refused(daemon, "network", *command), command
    assert set(endpoints(daemon, "web1")) == {one}
    assert "has active endpoints" in refused(daemon, "network", "rm", one)


def test_links_on_the_default_bridge_are_lines_and_variables(daemon: Node) -> None:
    """There are no names there; the other must run."""
    daemon.docker("run", "-d", "--name", "db1", "--expose", "5432", "-e", "USER=me", *SLEEP)
    daemon.docker("run", "-d", "--name", "web1", "--link", "db1:sql", *SLEEP)
    where = str(endpoints(daemon, "db1")["bridge"]["IPAddress"])

    assert f"{where}\tsql\n" in inside(daemon, "web1", "cat", "/etc/hosts")
    variables = inside(daemon, "web1", "cat", "/proc/1/environ").split("\0")
    assert f"SQL_PORT_5432_TCP=tcp://{where}:5432" in variables
    assert "SQL_ENV_USER=me" in variables
    daemon.docker("kill", "db1")
    words = refused(daemon, "restart", "-t", "0", "web1")
    assert "Cannot link to a non running container: /db1 AS /web1/sql" in words
    assert "could not get container for no1" in refused(
        daemon, "run", "--link", "no1:x", "busybox", "true"
    )
