"""A node in no swarm: the docker CLI is told so in the words that it and its users know."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.host import Host
from tests.cluster.hosts import hosts_on_a_lan
from tests.cluster.leftovers import swarms_traces
from tests.cluster.services import load_busybox, serve, until_running


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """Lend a host with two addresses."""
    with hosts_on_a_lan(1) as (made,):
        made.run("ip", "addr", "add", "10.231.1.1/24", "dev", "eth0")
        made.start()
        yield made


@pytest.mark.parametrize(
    "command",
    ["node ls", "service ls", "secret ls", "config ls", "swarm ca", "swarm join-token worker"],
)
def test_what_managers_answer_is_refused(host: Host, command: str) -> None:
    result = host.docker(*command.split(), check=False)

    assert 1 == result.returncode
    assert (
        "Error response from daemon: This node is not a swarm manager. Use "
        '"docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'
        in result.stderr
    )


def test_there_is_nothing_to_leave(host: Host) -> None:
    result = host.docker("swarm", "leave", check=False)

    assert "Error response from daemon: This node is not part of a swarm\n" == result.stderr


def test_init_asks_which_address_is_meant(host: Host) -> None:
    """The CLI adds its advice where the message begins as it knows it."""
    result = host.docker("swarm", "init", check=False)

    assert (
        "Error response from daemon: could not choose an IP address to advertise since this "
        "system has multiple addresses on interface eth0 (10.231.0.11 and 10.231.1.1) - specify "
        "one with --advertise-addr\n" == result.stderr
    )


def test_a_join_with_nonsense_is_refused(host: Host) -> None:
    result = host.docker(
        "swarm",
        "join",
        "--token",
        "abc",
        "--advertise-addr",
        "10.231.0.11",
        "10.231.0.99",
        check=False,
    )

    assert "invalid join token" in result.stderr
    assert "inactive" == host.info()["LocalNodeState"]


def test_a_join_that_reaches_nobody_says_so_and_leaves_nothing(host: Host) -> None:
    token = f"SWMTKN-1-{'1' * 50}-{'2' * 25}"

    result = host.docker(
        "swarm", "join", "--token", token, "--advertise-addr", "10.231.0.11", "10.231.0.11:2377",
        check=False,
    )  # fmt: skip

    assert "could not reach a manager at 10.231.0.11:2377: Connection refused" in result.stderr
    assert "inactive" == host.info()["LocalNodeState"]
    assert not (host.root / "data" / "swarm").exists()


def test_the_last_manager_takes_the_swarm_with_it_and_leaves_the_machine_as_it_was(
    host: Host,
) -> None:
    """Standalone containers go on, also one that was on a network of the swarm."""
    load_busybox([host])
    sleep = ("busybox", "sleep", "1000")
    host.docker("run", "-d", "--name", "mine", "--stop-timeout", "0", *sleep)
    before = host.leftovers()
    host.docker("swarm", "init", "--advertise-addr", "10.231.0.11")
    host.skep("cluster", "label", "skep.rebalance=auto")
    assert {"skep.rebalance": "auto"} == host.get("/swarm")["Spec"]["Labels"]
    host.docker("network", "create", "-d", "overlay", "--attachable", "net")
    host.docker("secret", "create", "word", "-", stdin=b"correct horse")
    serve(host, "web", "--replicas", "2", "--network", "net", "--secret", "word", "-p", "80:80",
          "--mount", "type=volume,target=/anonymous", *sleep)  # fmt: skip
    until_running(host, "web", 2)
    host.docker("run", "-d", "--name", "guest", "--network", "net", "--stop-timeout", "0", *sleep)
    refused = host.docker("swarm", "leave", check=False)

    host.docker("swarm", "leave", "--force")

    assert "Removing the last manager erases all current state of the swarm" in refused.stderr
    assert {"mine", "guest"} == {*host.docker("ps", "-a", "--format", "{{.Names}}").stdout.split()}
    assert "" == host.docker("volume", "ls", "-q").stdout
    assert not swarms_traces(host)
    host.docker("rm", "-f", "guest")
    assert before == host.leftovers()
    host.docker("swarm", "init", "--advertise-addr", "10.231.0.11")
    assert "" == host.docker("service", "ls", "-q").stdout
    host.docker("swarm", "leave", "--force")
    host.docker("rm", "-f", "mine")
