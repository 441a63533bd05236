"""Networks with options, on interfaces of the host, of both families; pruning and filters."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import pytest

from tests.root.network_bed import run
from tests.root.node import Node, wait_until

SLEEP = ("busybox", "sleep", "1000")
WEB = ("busybox", "sh", "-c", "mkdir /w; echo hello > /w/index.html; httpd -f -h /w")
BRIDGE = "com.docker.network.bridge."


@pytest.fixture
def node(daemon: Node) -> Iterator[Node]:
    """Lend the daemon; its user-defined networks go with the test, without a trace."""
    yield daemon
    daemon.remove_containers()
    names = daemon.docker("network", "ls", "-q", "-f", "type=custom").stdout.split()
    if names:
        daemon.docker("network", "rm", *names)
    wait_until(lambda: not any(daemon.leftovers().values()), "the last of it to go")
    listed = run("nft", "list", "table", "inet", f"skep-{daemon.name}").stdout
    assert "br-" not in listed.replace(f"br-{daemon.name}", "")


def create(node: Node, name: str, *flags: str) -> dict[str, object]:
    """Create a network; return what inspect shows."""
    node.docker("network", "create", *flags, name)
    shown: list[dict[str, object]] = json.loads(node.docker("network", "inspect", name).stdout)
    return shown[0]


def inside(node: Node, name: str, *command: str, check: bool = True) -> str:
    """Return what a command prints in a container."""
    return node.docker("exec", name, *command, check=check).stdout


def address(node: Node, name: str, field: str = "IPAddress") -> str:
    """Return the address of a container that has one network."""
    template = "{{range .NetworkSettings.Networks}}{{.%s}}{{end}}" % field  # noqa: UP031  (braces)
    return node.docker("inspect", "-f", template, name).stdout.strip()


def can_make(kind: str, parent: str) -> bool:
    """Tell whether the kernel has a kind of interface."""
    name = f"{parent}x"
    made = run("ip", "link", "add", name, "link", parent, "type", kind)
    run("ip", "link", "del", name)
    return made.returncode == 0


def test_containers_on_macvlan_talk_to_one_another(node: Node, parent: str) -> None:
    """Under names and addresses of the parent's network."""
    if not can_make("macvlan", parent):
        pytest.skip("the kernel has no macvlan")
    shown = create(
        node, "mv", "-d", "macvlan", "-o", f"parent={parent}", "--subnet", "10.218.0.0/24"
    )
    node.docker("run", "-d", "--name", "one1", "--network", "mv", *SLEEP)
    node.docker("run", "-d", "--name", "two1", "--network", "mv", "--ip", "10.218.0.77", *SLEEP)

    assert shown["Driver"] == "macvlan"
    assert "1 packets received" in inside(node, "one1", "ping", "-c1", "two1")
    assert "via 10.218.0.1" in inside(node, "one1", "ip", "route")
    assert "10.218.0.77" in inside(node, "one1", "nslookup", "two1")


def test_macvlan_joins_and_leaves_a_running_container(node: Node, parent: str) -> None:
    """There is no end on the host to delete."""
    if not can_make("macvlan", parent):
        pytest.skip("the kernel has no macvlan")
    create(node, "mv", "-d", "macvlan", "-o", f"parent={parent}", "-o", "macvlan_mode=private")
    node.docker("run", "-d", "--name", "one1", *SLEEP)

    node.docker("network", "connect", "mv", "one1")
    assert "eth1" in inside(node, "one1", "ip", "link")
    node.docker("network", "disconnect", "mv", "one1")
    assert "eth1" not in inside(node, "one1", "ip", "link")


@pytest.mark.parametrize("kind", ["ipvlan", "dummy", "vlan"])
def test_what_the_kernel_lacks_is_said(node: Node, parent: str, kind: str) -> None:
    """With the module's name; nothing is left."""
    given = {"ipvlan": parent, "dummy": "", "vlan": f"{parent}.7"}[kind]
    probe = ["ip", "link", "add", f"{parent}x", *(["link", parent] if kind != "dummy" else [])]
    probe += ["type", kind, *(["id", "7"] if kind == "vlan" else [])]
    has_it = run(*probe).returncode == 0
    run("ip", "link", "del", f"{parent}x")
    driver = "ipvlan" if kind == "ipvlan" else "macvlan"
    options = ["-o", f"parent={given}"] if given else []

    made = node.docker("network", "create", "-d", driver, *options, "net1", check=False)
    if made.returncode == 0:
        made = node.docker("run", "--rm", "--network", "net1", "busybox", "true", check=False)

    assert (made.returncode == 0) == has_it
    if not has_it:
        assert f"the kernel lacks {kind} interfaces" in made.stderr


def test_an_ipv6_port_is_published(node: Node) -> None:
    """On the host's loopback of that family."""
    create(node, "six", "--ipv6", "--subnet", "fd00:218::/64", "--subnet", "10.218.1.0/24")
    node.docker("run", "-d", "--name", "web1", "--network", "six", "-p", "80", *WEB)
    ports = node.docker("port", "web1", "80").stdout.split()

    assert [each.rsplit(":", 1)[0] for each in ports] == ["0.0.0.0", "[::]"]
    six = address(node, "web1", "GlobalIPv6Address")
    assert six.startswith("fd00:218::")
    node.docker("run", "-d", "--name", "two1", "--network", "six", *SLEEP)
    assert six in inside(node, "two1", "nslookup", "web1")
    assert "1 packets received" in inside(node, "two1", "ping", "-6", "-c1", six)


def test_a_routed_network_opens_ports_and_translates_nothing(node: Node) -> None:
    """The container is reached under its own address, on its published port alone."""
    create(node, "routed1", "-o", f"{BRIDGE}gateway_mode_ipv4=routed")
    node.docker("run", "-d", "--name", "web1", "--network", "routed1", "-p", "80", *WEB)
    node.docker("run", "-d", "--name", "two1", *SLEEP)
    where = address(node, "web1")

    talk = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 {where} 80"
    assert "hello" in inside(node, "two1", "sh", "-c", talk)
    assert "1 packets received" not in inside(
        node, "two1", "ping", "-c1", "-W1", where, check=False
    )


@pytest.mark.parametrize(("mode", "is_open"), [("nat", False), ("nat-unprotected", True)])
def test_an_unprotected_network_lets_everybody_in_who_has_a_route(
    node: Node, mode: str, *, is_open: bool
) -> None:
    """Ports that are not published, from another bridge too, as with Docker 28."""
    create(node, "open1", "-o", f"{BRIDGE}gateway_mode_ipv4={mode}")
    node.docker("run", "-d", "--name", "web1", "--network", "open1", *WEB)
    node.docker("run", "-d", "--name", "two1", *SLEEP)
    where = address(node, "web1")
    wait_until(lambda: "hello" in _page(node, "web1", where), "the server to come up")

    assert is_open == ("hello" in _page(node, "two1", where))


def _page(node: Node, name: str, where: str, port: str = "80") -> str:
    talk = f"printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 1 {where} {port}"
    return inside(node, name, "sh", "-c", talk, check=False)


def test_an_isolated_network_is_not_the_hosts_either(node: Node) -> None:
    """No address of the host on the bridge, and none behind it, even for who adds a route."""
    option = ("-o", f"{BRIDGE}gateway_mode_ipv4=isolated", "-o", f"{BRIDGE}name=iso-{node.name}")
    shown = create(node, "iso1", "--internal", *option)
    for name in ("one1", "two1"):
        node.docker("run", "-d", "--cap-add", "NET_ADMIN", "--name", name, "--network", "iso1",
                    *SLEEP)  # fmt: skip
    node.docker("run", "-d", "--name", "three1", *SLEEP)
    host = inside(node, "three1", "ip", "route").split()[2]

    assert "Gateway" not in str(shown["IPAM"])
    assert "inet" not in run("ip", "addr", "show", f"iso-{node.name}").stdout
    assert "1 packets received" in inside(node, "one1", "ping", "-c1", "two1")
    inside(node, "one1", "ip", "route", "add", host, "dev", "eth0")
    assert "1 packets received" not in inside(node, "one1", "ping", "-c1", "-W1", host, check=False)
    from_host = run("busybox", "ping", "-c1", "-W1", address(node, "one1")).stdout
    assert "1 packets received" not in from_host


def test_the_host_does_not_answer_on_a_bridge_for_what_it_has_elsewhere(
    node: Node, parent: str
) -> None:
    """An address may be the host's on one interface, and a container's on an isolated network."""
    run("ip", "addr", "add", "10.218.9.1/32", "dev", parent)
    option = ("-o", f"{BRIDGE}gateway_mode_ipv4=isolated", "--subnet", "10.218.9.0/24")
    create(node, "iso1", "--internal", *option)
    for name, own in (("one1", "10.218.9.1"), ("two1", "10.218.9.2")):
        node.docker("run", "-d", "--name", name, "--network", "iso1", "--ip", own, *SLEEP)
    create(node, "web_net")
    published = ("-p", "80", "--add-host", "host1:host-gateway")
    node.docker("run", "-d", "--name", "web1", "--network", "web_net", *published, *WEB)
    port = node.docker("port", "web1", "80").stdout.split()[0].rsplit(":", 1)[1]

    asked = inside(node, "two1", "busybox", "arping", "-c2", "-w3", "10.218.9.1")

    macs = {line.split("[")[1].split("]")[0] for line in asked.splitlines() if "[" in line}
    assert {address(node, "one1", "MacAddress")} == {each.lower() for each in macs}
    # What the host does answer for is as it was: its own address there, and published ports.
    gateway = inside(node, "web1", "ip", "route").split()[2]
    for where in (gateway, "host1"):
        wait_until(
            lambda at=where: "hello" in _page(node, "web1", at, port),  # type: ignore[misc] # bound
            f"{where} to answer",
        )


def test_gateway_modes_that_make_no_sense_are_refused(node: Node) -> None:
    mode = f"{BRIDGE}gateway_mode_ipv4="

    for options, words in (
        ([f"{mode}isolated"], "gateway mode 'isolated' can only be used for an internal network"),
        ([f"{mode}ajar"], "unknown gateway mode ajar"),
    ):
        flags = [word for each in options for word in ("-o", each)]
        done = node.docker("network", "create", *flags, "never", check=False)
        assert words in done.stderr
    assert "never" not in node.docker("network", "ls").stdout


def test_an_internal_network_has_no_way_out(node: Node) -> None:
    """No default route; its containers reach one another."""
    create(node, "inner1", "--internal")
    node.docker("run", "-d", "--name", "one1", "--network", "inner1", *SLEEP)
    node.docker("run", "-d", "--name", "two1", "--network", "inner1", *SLEEP)

    assert "default" not in inside(node, "one1", "ip", "route")
    assert "1 packets received" in inside(node, "one1", "ping", "-c1", "two1")


def test_options_of_bridge_and_endpoint_reach_the_kernel(node: Node) -> None:
    """Name, mtu, no talk between containers, prefix, and settings of the interface."""
    bridge = f"s{secrets.token_hex(3)}"
    options = {
        f"{BRIDGE}name": bridge,
        f"{BRIDGE}enable_icc": "false",
        "com.docker.network.driver.mtu": "1400",
        "com.docker.network.container_iface_prefix": "lan",
    }
    flags = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    shown = create(node, "opts", *flags)
    sysctl = "com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1"
    node.docker(
        "run", "-d", "--name", "one1", "--network", f"name=opts,driver-opt={sysctl}", *SLEEP
    )
    node.docker("run", "-d", "--name", "two1", "--network", "opts", *SLEEP)

    assert shown["Options"] == options
    assert run("ip", "link", "show", bridge).returncode == 0
    assert "mtu 1400" in inside(node, "one1", "ip", "link", "show", "lan0")
    martians = "/proc/sys/net/ipv4/conf/lan0/log_martians"
    assert inside(node, "one1", "cat", martians) == "1\n"
    lost = inside(node, "one1", "ping", "-c1", "-W1", "two1", check=False)
    assert "1 packets received" not in lost


def test_pools_are_kept_to(node: Node) -> None:
    """Range, gateway, and addresses that are somebody else's."""
    subnet = ["--subnet", "10.218.2.0/24", "--ip-range", "10.218.2.64/30"]
    other = ["--gateway", "10.218.2.9", "--aux-address", "router=10.218.2.65"]
    create(node, "pool1", *subnet, *other)
    for name in ("one1", "two1"):
        node.docker("run", "-d", "--name", name, "--network", "pool1", *SLEEP)

    assert {address(node, "one1"), address(node, "two1")} <= {
        "10.218.2.64", "10.218.2.66", "10.218.2.67"
    }  # fmt: skip
    assert "via 10.218.2.9" in inside(node, "one1", "ip", "route")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--subnet", "10.218.3.1/24"], "it should be 10.218.3.0/24"),
        (["--subnet", "10.218.3.0/33"], "invalid CIDR block notation"),
        (["--subnet", "fd00:218:3::/64"], "IPv6 has not been enabled"),
        (["-d", "nope"], 'plugin "nope" not found'),
        (["-d", "macvlan", "-o", "parent=nosuchif0"], "parent interface nosuchif0 was not found"),
        (["-d", "macvlan", "-o", "macvlan_mode=x"], "requested macvlan mode 'x' is not valid"),
        (["-o", f"{BRIDGE}name=bad/name"], "invalid bridge name"),
    ],
)
def test_bad_wishes_are_refused(node: Node, flags: list[str], words: str) -> None:
    """With a word on what is wrong; nothing is made."""
    links = run("ip", "-o", "link").stdout.count("br-")

    done = node.docker("network", "create", *flags, "bad", check=False)

    assert words in done.stderr
    assert node.docker("network", "ls", "-q", "-f", "name=bad").stdout == ""
    assert abs(run("ip", "-o", "link").stdout.count("br-") - links) < 9


def test_pruning_spares_what_stopped_containers_use(node: Node) -> None:
    """And what the filter does not name."""
    for name, label in (("used1", "x=1"), ("free1", "x=1"), ("other1", "x=2")):
        create(node, name, "--label", label)
    node.docker("create", "--name", "one1", "--network", "used1", *SLEEP)

    pruned = node.docker("network", "prune", "-f", "--filter", "label=x=1").stdout

    assert pruned.split()[2:] == ["free1"]
    listed = node.docker("network", "ls", "--format", "{{.Name}}", "-f", "label=x").stdout.split()
    assert sorted(listed) == ["other1", "used1"]


def test_listings_are_filtered(node: Node) -> None:
    """By each of the reference's filters."""
    network = create(node, "mine1", "--label", "tier=front")

    def names(*filters: str) -> set[str]:
        flags = [word for each in filters for word in ("-f", each)]
        return set(node.docker("network", "ls", "--format", "{{.Name}}", *flags).stdout.split())

    assert names("type=custom") == {"mine1"}
    assert names("driver=null") == {"none"}
    assert names("label=tier=front", "name=min") == {"mine1"}
    assert names(f"id={str(network['Id'])[:12]}") == {"mine1"}
    assert names("dangling=true") == {"mine1"}
    assert {"bridge", "host", "none"} <= names("scope=local")
    assert names("scope=swarm") == set()


def test_docker_py_speaks_of_networks(node: Node) -> None:
    """As its users do."""
    client = node.api()
    try:
        network = client.networks.create("py1", driver="bridge", labels={"a": "b"})
        container = client.containers.run("busybox", ["sleep", "1000"], detach=True)
        network.connect(container, aliases=["friend"])
        network.reload()
        assert [each.id for each in network.containers] == [container.id]
        network.disconnect(container)
        network.reload()
        assert network.containers == []
        container.remove(force=True)
        network.remove()
    finally:
        client.close()
