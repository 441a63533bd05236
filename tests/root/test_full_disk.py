"""A data root that runs full: told clearly, nothing damaged, and it can be emptied again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.root.conftest import new_node, with_busybox
from tests.root.images import ImageFile, ImageSpec, docker_archive, make_layer
from tests.root.node import Node, wait_until
from tests.root.registry import BINARY, run_registry

SIZE_MIB = 32
WORDS = "no space left on device"


@pytest.fixture
def small() -> Iterator[Node]:
    """Lend a daemon whose data root has 32 MiB, with busybox in it."""
    node = new_node()
    data = node.root / "data"
    data.mkdir(parents=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "skep-small", data], check=True
    )
    with with_busybox(node):
        yield node


def free(node: Node) -> int:
    """Return the bytes that are free, in units of 64 KiB: the database's log grows by itself."""
    disk = os.statvfs(node.root / "data")
    return disk.f_bavail * disk.f_frsize >> 16


def assert_usable(node: Node, before: int) -> None:
    """Fail unless the space came back, and images, volumes and containers can be made."""
    wait_until(lambda: free(node) >= before - 8, f"the space to come back: {free(node)}/{before}")
    assert "ok\n" == node.docker("run", "--rm", "-v", "/v", "busybox", "echo", "ok").stdout
    node.docker("tag", "busybox", "busybox:other")
    assert "busybox:other" in node.docker("rmi", "busybox:other").stdout
    assert not list((node.root / "data" / "images" / "incoming").iterdir())
    assert not list((node.root / "data" / "images" / "partial").iterdir())


def big_layer(megabytes: int) -> bytes:
    """Return a layer that does not compress."""
    return make_layer([ImageFile("big", os.urandom(megabytes << 20))])


def test_an_archive_that_does_not_fit_is_refused(small: Node) -> None:
    """While it arrives, or while it is unpacked."""
    before = free(small)
    for megabytes in (18, 40):
        archive = docker_archive([ImageSpec(["big:1"], [big_layer(megabytes)])])

        said = small.docker("load", stdin=archive, check=False)

        assert WORDS in said.stderr + said.stdout
        assert "big" not in small.docker("images").stdout
        assert_usable(small, before)


@pytest.mark.skipif(BINARY is None, reason="needs docker-registry")
def test_a_pull_that_does_not_fit_is_refused(small: Node) -> None:
    """What came of its layers is not kept."""
    before = free(small)
    with run_registry() as registry:
        registry.push("full", "latest", [big_layer(9), big_layer(9), big_layer(40)])

        said = small.docker("pull", f"{registry.host}/full", check=False)

    assert WORDS in said.stderr + said.stdout
    assert_usable(small, before)


def test_a_container_that_filled_the_disk_can_be_removed(small: Node) -> None:
    """By the engine, which has to write to that very disk to do so."""
    before = free(small)
    small.docker("run", "-d", "--name", "other", "busybox", "sleep", "1000")
    small.docker("run", "--name", "filler", "busybox", "sh", "-c", "cat /dev/zero >/f", check=False)

    assert "hi\n" == small.docker("exec", "other", "echo", "hi").stdout
    small.docker("rm", "-f", "other")
    small.docker("rm", "filler")

    assert_usable(small, before)


def test_a_restart_on_a_full_disk_finds_everything(small: Node) -> None:
    """And the next one too."""
    before = free(small)
    small.docker("run", "-d", "--name", "other", "busybox", "sleep", "1000")
    small.docker("run", "--name", "filler", "busybox", "sh", "-c", "cat /dev/zero >/f", check=False)
    small.kill()
    small.start()

    shown = small.docker("ps", "-a", "--format", "{{.Names}} {{.State}}").stdout.split("\n")

    assert {"other running", "filler exited"} <= set(shown)
    small.docker("rm", "-f", "filler", "other")
    assert_usable(small, before)


def test_logs_that_fill_the_disk_hang_nobody(small: Node) -> None:
    """What was written can be read; the container ends as it would have."""
    before = free(small)
    script = "yes 0123456789012345678901234567890123456789 | head -c 34000000; exit 7"
    small.docker("run", "-d", "--name", "chatty", "busybox", "sh", "-c", script)

    assert "7\n" == small.docker("wait", "chatty", timeout_s=30).stdout
    assert (
        "0123456789012345678901234567890123456789"
        == (small.docker("logs", "-n", "3", "chatty").stdout.splitlines()[0][-40:])
    )
    small.docker("rm", "chatty")
    assert_usable(small, before)
