"""Encrypted networks of a swarm, by the docker command; where the kernel has IPsec ESP."""

from __future__ import annotations

from agent.cli.unix_http import ask
from tests.cluster.host import Host
from tests.cluster.hosts import Cluster
from tests.cluster.services import serve, until_empty, until_running
from tests.cluster.sound import until_sound
from tests.cluster.steady_client import asking
from tests.cluster.test_overlay import (
    ANSWER,
    addresses,
    answered,
    host_space,
    network,
    sandbox,
    short_ids,
)
from tests.root.cable import needs_esp, seen_on_cable
from tests.root.node import wait_until

HOSTS = 2


def states(host: Host) -> set[str]:
    """Return the indexes of the host's associations."""
    words = host.run("ip", "xfrm", "state").split()
    return {words[place + 1] for place, word in enumerate(words) if word == "spi"}


def rotate_every(manager: Host, time: str) -> None:
    """Set the time between rotations of the keys."""
    swarm = manager.get("/swarm")
    spec = {**swarm["Spec"], "Labels": {"skep.overlay.key-rotation": time}}
    with ask(manager.socket, "POST", f"/swarm/update?version={swarm['Version']['Index']}", spec):
        pass


@needs_esp
def test_tasks_speak_encrypted_while_keys_change_and_leave_nothing(swarm: Cluster) -> None:
    """From the first task to the last one, with nobody having to look after anything."""
    manager, worker = swarm
    made = network(manager, "vault_net", "--opt", "encrypted")
    vni = made["Options"]["com.docker.network.driver.overlay.vxlanid_list"]
    with seen_on_cable(host_space(worker)) as seen:
        serve(manager, "api", "--mode", "global", "--network", "vault_net", *ANSWER)
        tasks = until_running(manager, "api", 2)
        place = sandbox(swarm, tasks[0])
        wait_until(lambda: len(addresses(place, "tasks.api")) == 2, "both to be found")
        virtual = addresses(place, "api")[0]
        wait_until(
            lambda: {answered(place, virtual, 80) for _ in range(8)} == short_ids(tasks),
            "both to answer",
        )

        before = [states(host) for host in swarm]
        with asking(place, virtual, 80, rate=20) as account:
            rotate_every(manager, "5s")
            for host, old in zip(swarm, before, strict=True):
                wait_until(lambda at=host, was=old: not was & states(at), "all new keys", 60)  # type: ignore[misc] # bound
            rotate_every(manager, "12h")

    assert account.lost == []
    assert "esp" in seen
    assert f"vxlan {vni}" not in seen
    assert [len(each) for each in before] == [4, 4]
    until_sound(swarm)
    manager.docker("service", "rm", "api")
    until_empty(swarm)
    for host in swarm:
        wait_until(lambda at=host: not states(at), "the associations to go")  # type: ignore[misc] # bound
        assert host.run("ip", "xfrm", "policy") == ""
        assert "-esp" not in host.run("nft", "list", "tables")
    manager.docker("network", "rm", "vault_net")
