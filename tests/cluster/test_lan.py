"""The hosts that all other tests here stand on: joined, parted, crashed, and gone without trace."""

from __future__ import annotations

import subprocess

import pytest

from tests.cluster.host import Host
from tests.cluster.hosts import hosts_on_a_lan, start_all
from tests.cluster.leftovers import traces
from tests.root.images import busybox_archive
from tests.root.node import wait_until


def reaches(a: Host, b: Host) -> bool:
    """Tell whether a ping goes there and comes back."""
    space = a.network.namespace(a.number)
    ping = ["ip", "netns", "exec", space, "busybox", "ping", "-c1", "-W1", b.address]
    return subprocess.run(ping, capture_output=True, check=False).returncode == 0


def test_hosts_reach_one_another_until_they_are_parted() -> None:
    """A ping needs both ways, so one way cut is enough to fail it."""
    with hosts_on_a_lan(3) as (one, two, three):
        lan = one.network
        wait_until(lambda: reaches(one, two), "the way to be open")

        lan.cut(1, to=[0])
        assert not reaches(one, two)
        wait_until(lambda: reaches(one, three), "the way to be open")

        lan.part(2)
        assert not reaches(three, one)

        lan.heal()
        wait_until(lambda: reaches(one, two), "the way to be open")
        wait_until(lambda: reaches(three, one), "the way to be open")


def test_an_unplugged_host_is_alone() -> None:
    """Its link is down until it is plugged in again."""
    with hosts_on_a_lan(2) as (one, two):
        one.network.unplug(1)
        assert not reaches(one, two)

        one.network.plug(1)
        wait_until(lambda: reaches(one, two), "the way to be open")


def test_each_host_runs_containers_of_its_own_under_a_name_of_its_own() -> None:
    """Same bridge names, same subnets, same container names: in worlds of their own."""
    with hosts_on_a_lan(2) as hosts:
        start_all(hosts)
        for host in hosts:
            host.docker("load", stdin=busybox_archive())
            host.docker("run", "-d", "--name", "same", "-p", "80:80", "busybox", "sleep", "1000")

        names = [host.docker("info", "-f", "{{.Name}}").stdout.strip() for host in hosts]

        assert ["host0", "host1"] == names


def test_nothing_is_left_of_hosts_that_crashed_with_containers() -> None:
    """Also when a test fails in the middle."""
    with pytest.raises(ZeroDivisionError), hosts_on_a_lan(1) as hosts:  # noqa: PT012 - all of it
        (host,) = hosts
        host.start()
        host.docker("load", stdin=busybox_archive())
        host.docker("run", "-d", "busybox", "sleep", "1000")
        host.crash()
        raise ZeroDivisionError

    assert {} == traces(host.name)


def test_a_full_disk_is_full_until_it_is_freed() -> None:
    """The daemon lives on a disk of its own that can be filled to the last byte."""
    with hosts_on_a_lan(1) as (host,):
        host.limit_disk(32)
        host.start()
        host.fill_disk()

        with pytest.raises(OSError, match="No space left"):
            (host.root / "data" / "more").write_bytes(bytes(4096))

        host.free_disk()
        (host.root / "data" / "more").write_bytes(bytes(4096))
