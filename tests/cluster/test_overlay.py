"""Services on overlay networks of a swarm: by name, by address, from node to node."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.addresses import first_address
from tests.cluster.docker_command import needs_docker_command
from tests.cluster.host import Host
from tests.cluster.hosts import Cluster
from tests.cluster.precedence import let_containers_go_first
from tests.cluster.services import serve, tasks, until_empty, until_running
from tests.cluster.sound import until_sound
from tests.cluster.steady_client import asking
from tests.cluster.test_tasks import container_of, host_of
from tests.root.cable import needs_no_esp
from tests.root.name_client import addresses_inside
from tests.root.node import wait_until
from tests.root.overlay_bed import in_namespace

# Answers with its host name, which is the start of the container's id, on port 80.
ANSWER = (
    "busybox", "sh", "-c",
    "mkdir -p /www && hostname > /www/index.html && exec httpd -f -p 80 -h /www",
)  # fmt: skip
SLEEP = ("busybox", "sleep", "1000")


@pytest.fixture(autouse=True)
def _empty_again(swarm: Cluster) -> Iterator[None]:
    """Remove what a test made, and see the containers go, and with them the networks."""
    yield
    manager = swarm[0]
    if services := manager.docker("service", "ls", "-q").stdout.split():
        manager.docker("service", "rm", *services)
    until_empty(swarm)
    shown = manager.docker("network", "ls", "-q", "-f", "scope=swarm", "-f", "name=net").stdout
    if shown:
        manager.docker("network", "rm", *shown.split())


def network(manager: Host, name: str, *words: str) -> dict[str, Any]:
    """Create an overlay network; return it as it is shown."""
    manager.docker("network", "create", "-d", "overlay", *words, name)
    shown: list[dict[str, Any]] = json.loads(manager.docker("network", "inspect", name).stdout)
    return shown[0]


def sandbox(swarm: Cluster, task: dict[str, Any]) -> Path:
    """Return where the network namespace of a task is."""
    return Path(container_of(swarm, task)["NetworkSettings"]["SandboxKey"])


def addresses(place: Path, name: str) -> list[str]:
    """Return what is found by a name in a network namespace."""
    return addresses_inside(str(place), name)


def asked(place: Path, address: str, port: int = 80, path: str = "/") -> str:
    """Return what is answered by HTTP at an address, asked in a network namespace.

    Waits for who answers to listen: a task without a health check is running before that.
    """
    answers: list[str] = []

    def is_answered() -> bool:
        try:
            answers.append(ask_once(place, address, port, path))
        except ConnectionRefusedError:
            return False
        return True

    wait_until(is_answered, f"{address}:{port} to listen", 10)
    return answers[0]


def ask_once(place: Path, address: str, port: int, path: str = "/") -> str:
    """Return what is answered by HTTP at an address, asked in a network namespace."""

    def ask() -> str:
        with socket.create_connection((address, port), 5) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            return connection.makefile().read().splitlines()[-1]

    return in_namespace(place, ask)


def short_ids(tasks: list[dict[str, Any]]) -> set[str]:
    """Return the host names of tasks' containers, with which they answer."""
    return {each["Status"]["ContainerStatus"]["ContainerID"][:12] for each in tasks}


def test_tasks_of_three_nodes_find_one_another_by_name(swarm: Cluster) -> None:
    manager = swarm[0]
    network(manager, "shop_net")
    serve(manager, "api", "--replicas", "3", "--network", "shop_net", *ANSWER)
    serve(manager, "client", "--mode", "global", "--network", "shop_net", *SLEEP)
    served = short_ids(until_running(manager, "api", 3))

    for task in until_running(manager, "client", 3):
        place = sandbox(swarm, task)
        wait_until(lambda at=place: len(addresses(at, "tasks.api")) == 3, "all to be found")  # type: ignore[misc] # bound
        (virtual,) = addresses(place, "api")
        own = addresses(place, "tasks.api")
        assert virtual not in own
        assert served == {asked(place, virtual) for _ in range(24)}
        assert served == {asked(place, each) for each in own}


def host_space(host: Host) -> Path:
    """Return where a host's own network namespace is."""
    return Path("/run/netns", host.network.namespace(host.number))


def test_a_published_port_is_answered_on_every_node(swarm: Cluster) -> None:
    manager = swarm[0]
    serve(manager, "web", "--replicas", "2", "-p", "8080:80", *ANSWER)
    served = short_ids(until_running(manager, "web", 2))
    client = host_space(swarm[2])

    for address in [place for host in swarm for place in (host.address, host.address6)]:
        wait_until(
            lambda at=address: served == {answered(client, at, 8080) for _ in range(12)},  # type: ignore[misc] # bound
            f"all tasks behind {address}",
        )
    assert answered(host_space(manager), "127.0.0.1", 8080) in served

    manager.docker("service", "rm", "web")
    wait_until(lambda: not answered(client, manager.address, 8080), "the port to be closed")


def test_the_ingress_network_is_made_anew_with_another_subnet(swarm: Cluster) -> None:
    """Not while services publish ports over it; after that as before."""
    manager = swarm[0]
    serve(manager, "web", "-p", "8083:80", *ANSWER)
    until_running(manager, "web", 1)
    remove = ("network", "rm", "ingress")

    refused = manager.docker(*remove, stdin=b"y\n", check=False)
    assert "ingress network cannot be removed because service" in refused.stderr
    manager.docker("service", "rm", "web")
    manager.docker(*remove, stdin=b"y\n")
    for host in swarm:
        wait_until(
            lambda at=host: "ingress" not in at.run("nft", "list", "tables"),  # type: ignore[misc] # bound
            f"{host.hostname} to leave the mesh",
        )
    # One that is there already waits for the network.
    serve(manager, "web", "--replicas", "2", "-p", "8083:80", *ANSWER)
    wait_until(
        lambda: (
            ["ingress network is missing"] * 2
            == [each["Status"].get("Err", "")[-26:] for each in tasks(manager, "web")]
        ),
        "the tasks to wait",
    )
    subnet = ("--subnet", "10.244.0.0/16", "--gateway", "10.244.0.2")
    network(manager, "mesh", "--ingress", *subnet)
    second = manager.docker("network", "create", "-d", "overlay", "--ingress", "more", check=False)

    assert "is already present" in second.stderr
    made = until_running(manager, "web", 2)
    given = [each["NetworksAttachments"][0]["Addresses"][0] for each in made]
    assert all(each.startswith("10.244.0.") and each.endswith("/16") for each in given)
    for host in swarm:
        for address in (host.address, host.address6):
            wait_until(
                lambda at=address: (
                    short_ids(made)  # type: ignore[misc] # bound
                    == {answered(host_space(manager), at, 8083) for _ in range(12)}
                ),
                f"all tasks behind {address}",
            )
        until_sound([host])


# Answers with the address of who asks.
WHO = (
    "busybox", "sh", "-c",
    "mkdir -p /w/cgi-bin && printf '#!/bin/sh\\necho; echo $REMOTE_ADDR\\n' > /w/cgi-bin/who && "
    "chmod +x /w/cgi-bin/who && exec httpd -f -p 80 -h /w",
)  # fmt: skip


def test_with_the_local_policy_nodes_answer_for_their_own_tasks(swarm: Cluster) -> None:
    """Load balancers in front ask for the health, and tasks see who their clients are."""
    manager, worker, other = swarm
    client = host_space(other)
    labels = ("--label", "skep.ingress.policy=local", "--label", "skep.ingress.health-port=9090")
    there = ("--constraint", "node.hostname==host1", "-p", "8082:80")
    serve(manager, "web", *labels, *there, *WHO)
    until_running(manager, "web", 1)
    wait_until(lambda: health(client, worker) == (200, 1), "the node with a task to be healthy")
    wait_until(lambda: health(client, manager) == (503, 0), "a node without one to say so")
    # A task without a health check is running before it listens.
    for address in (worker.address, worker.address6):
        wait_until(lambda at=address: bool(answered(client, at, 8082)), "an answer")  # type: ignore[misc] # bound

    for mine, theirs in ((worker.address, other.address), (worker.address6, other.address6)):
        seen = asked(client, mine, 8082, "/cgi-bin/who")
        assert seen.strip("[]").removeprefix("::ffff:") == theirs
    assert answered(client, manager.address, 8082) == ""
    taken = manager.docker(
        "service", "create", "-p", "9090:80", "--name", "late", *SLEEP, check=False
    )
    assert "port '9090' is already in use by service 'web'" in taken.stderr
    manager.docker("service", "scale", "-d", "web=0")
    wait_until(lambda: health(client, worker) == (503, 0), "the node to have no task")
    manager.docker("service", "update", "-d", "--label-rm", "skep.ingress.health-port", "web")
    wait_until(lambda: health(client, worker) == (0, 0), "the port to be closed")


def health(place: Path, host: Host) -> tuple[int, int]:
    """Return the status that a node tells on the health port, and its number of tasks."""

    def ask() -> tuple[int, int]:
        with socket.create_connection((host.address, 9090), 5) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            head, _, body = connection.makefile().read().partition("\n\n")
        return int(head.split()[1]), int(json.loads(body)["localEndpoints"])

    try:
        return in_namespace(place, ask)
    except (OSError, IndexError):  # nobody there, or gone before the answer
        return 0, 0


def answered(place: Path, address: str, port: int) -> str:
    """Return what is answered at an address, "" for nothing."""
    try:
        return ask_once(place, address, port)
    except (OSError, IndexError):
        return ""


def container(host: Host, name: str) -> dict[str, Any]:
    """Return `docker inspect` of a container."""
    shown: list[dict[str, Any]] = json.loads(host.docker("inspect", name).stdout)
    return shown[0]


def run_on(host: Host, name: str, *words: str) -> Path:
    """Run a container that is no task; return where its network namespace is."""
    host.docker("run", "-d", "--name", name, "--stop-timeout", "0", *words)
    return Path(str(container(host, name)["NetworkSettings"]["SandboxKey"]))


def test_containers_that_are_no_tasks_are_on_attachable_networks(swarm: Cluster) -> None:
    manager, worker, other = swarm
    opened = network(manager, "open_net", "--attachable")
    network(manager, "closed_net")
    serve(manager, "api", "--network", "open_net", *ANSWER)
    served = short_ids(until_running(manager, "api", 1))

    one = run_on(worker, "one", "--network", "open_net", *ANSWER)
    refused = worker.docker("run", "--network", "closed_net", *SLEEP, check=False)

    wait_until(lambda: bool(addresses(one, "api")), "the service to be found")
    assert {asked(one, addresses(one, "api")[0])} == served
    assert "not manually attachable" in refused.stderr
    verbose = json.loads(manager.docker("network", "inspect", "--verbose", "open_net").stdout)[0]
    shown = {name: service["Tasks"] for name, service in verbose["Services"].items()}
    assert ["one"] == [each["Name"] for each in shown[""]]
    assert worker.address == shown[""][0]["Info"]["Host IP"]
    assert shown["api"][0]["Name"].startswith("api.1.")
    # One name for one network: those of the node and of the cluster are asked for alike.
    for wanted in ("-d overlay bridge", "open_net", "-d overlay --scope=local any_net"):
        denied = manager.docker("network", "create", *wanted.split(), check=False).stderr
        assert "already exists" in denied or "cannot downgrade" in denied
    # With the address that it asks for, before and after a restart.
    wish = first_address(str(opened["IPAM"]["Config"][0]["Subnet"])).rpartition(".")[0] + ".77"
    asking_for = ("--network", "open_net", "--ip")
    run_on(other, "two", *asking_for, wish, *SLEEP)
    other.docker("restart", "-t", "0", "two")
    two = Path(str(container(other, "two")["NetworkSettings"]["SandboxKey"]))
    assert container(other, "two")["NetworkSettings"]["Networks"]["open_net"]["IPAddress"] == wish
    worker.docker("network", "disconnect", "open_net", "one")
    moved = wish.replace(".77", ".78")
    worker.docker("network", "connect", "--ip", moved, "open_net", "one")
    for address, words in ((wish, "Address already in use"), ("192.0.2.9", "does not belong")):
        assert words in worker.docker("run", *asking_for, address, *SLEEP, check=False).stderr
    wait_until(lambda: addresses(two, "one") == [moved], "the other node's container to be found")
    assert asked(two, addresses(two, "one")[0]) == container(worker, "one")["Id"][:12]
    for host in (worker, other):
        # The refused one was created, as with Docker, and not started.
        tasks = host.docker("ps", "-aq", "-f", "label=com.docker.swarm.task").stdout.split()
        created = set(host.docker("ps", "-aq").stdout.split()) - set(tasks)
        host.docker("rm", "-f", *created)
    manager.docker("service", "rm", "api")
    wait_until(
        lambda: manager.docker("network", "rm", "open_net", check=False).returncode == 0,
        "the network to be free",
    )


@needs_no_esp
def test_on_an_encrypted_network_nothing_starts_where_the_kernel_cannot_encrypt(
    swarm: Cluster,
) -> None:
    """And the user is told; it is never in the clear instead."""
    manager = swarm[0]
    network(manager, "vault_net", "--opt", "encrypted", "--attachable")
    serve(manager, "safe", "--network", "vault_net", "--restart-condition", "none", *SLEEP)

    words = ("service", "ps", "--no-trunc", "--format", "{{.Error}}", "safe")
    wait_until(lambda: "IPsec ESP" in manager.docker(*words).stdout, "the reason to be shown")
    refused = manager.docker("run", "--network", "vault_net", *SLEEP, check=False)

    assert "the network vault_net is encrypted (--opt encrypted)" in refused.stderr
    manager.docker("rm", *manager.docker("ps", "-aq").stdout.split())


@needs_docker_command(25)  # --health-start-interval
def test_no_request_is_lost_while_a_service_grows_shrinks_and_is_updated(swarm: Cluster) -> None:
    """Not even by servers that end at once, with all that they have begun."""
    manager = swarm[0]
    network(manager, "busy_net")
    serve(
        manager, "api", "--replicas", "2", "--network", "busy_net", "-p", "8081:80",
        "--health-cmd", "wget -q -O /dev/null http://127.0.0.1/", "--health-interval", "5m",
        "--health-start-interval", "100ms", "--health-start-period", "30s",
        "--update-order", "start-first", "--update-parallelism", "2", *ANSWER,
    )  # fmt: skip
    serve(manager, "client", "--network", "busy_net", *SLEEP)
    until_running(manager, "api", 2)
    place = sandbox(swarm, until_running(manager, "client", 1)[0])
    wait_until(lambda: bool(addresses(place, "api")), "the service to be found")
    virtual = addresses(place, "api")[0]
    mesh = host_space(swarm[2]), swarm[1].address, 8081
    wait_until(lambda: bool(answered(place, virtual, 80)), "the first answer")
    wait_until(lambda: bool(answered(*mesh)), "the mesh")
    let_containers_go_first(swarm)

    with asking(place, virtual, 80, rate=60) as inside, asking(*mesh, rate=60) as outside:
        for count in (6, 2):
            manager.docker("service", "scale", "-d", f"api={count}")
            until_only(swarm, "api", until_running(manager, "api", count))
        old = short_ids(until_running(manager, "api", 2))
        manager.docker("service", "update", "-d", "--env-add", "ROUND=2", "api")
        wait_until(lambda: not old & short_ids(until_running(manager, "api", 2)), "the update", 40)
        until_only(swarm, "api", until_running(manager, "api", 2))

    for account in (inside, outside):
        assert account.sent > 60
        assert account.lost == []


def until_only(swarm: Cluster, name: str, tasks: list[dict[str, Any]]) -> None:
    """Wait until a service has no other containers than those of these tasks."""
    words = ("ps", "-q", "-f", f"label=com.docker.swarm.service.name={name}")
    wait_until(
        lambda: (
            {each for host in swarm for each in host.docker(*words).stdout.split()}
            == short_ids(tasks)
        ),
        f"the other containers of {name} to go",
    )


def test_traffic_goes_on_while_an_agent_is_away_and_is_right_when_it_is_back(
    swarm: Cluster,
) -> None:
    manager, worker, _ = swarm
    network(manager, "calm_net")
    serve(manager, "api", "--mode", "global", "--network", "calm_net", *ANSWER)

    def present() -> tuple[set[str], Path]:
        """Return what the tasks answer, and where the worker's is."""
        tasks = until_running(manager, "api", 3)
        mine = next(each for each in tasks if host_of(swarm, each) is worker)
        return short_ids(tasks), sandbox(swarm, mine)

    before, place = present()
    wait_until(lambda: len(addresses(place, "tasks.api")) == 3, "all to be found")
    virtual = addresses(place, "api")[0]

    worker.crash()
    while_away = {asked(place, virtual) for _ in range(24)}
    there = ("--constraint", "node.role==manager")
    serve(manager, "more", "--network", "calm_net", *there, *ANSWER)
    worker.start()

    def is_right() -> bool:
        """Tell whether all are found; the worker's task is another one if it was slow to come."""
        now, at = present()
        if not at.is_file() or not (found := addresses(at, "more")):
            return False
        more = short_ids(until_running(manager, "more", 1))
        return {asked(at, found[0])} == more and {asked(at, virtual) for _ in range(24)} == now

    assert while_away == before
    wait_until(is_right, "the tables to be right", 40)
    until_sound(swarm)
