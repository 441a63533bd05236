"""Volumes as the docker command uses them."""

from __future__ import annotations

import json

from tests.root.node import Node


def test_volume_carries_data_between_containers(daemon: Node) -> None:
    daemon.docker("volume", "create", "carried")

    daemon.docker("run", "--rm", "-v", "carried:/data", "busybox", "sh", "-c", "echo hi >/data/f")
    read = daemon.docker("run", "--rm", "-v", "carried:/data", "busybox", "cat", "/data/f")

    assert "hi\n" == read.stdout
    daemon.docker("volume", "rm", "carried")


def test_new_volume_gets_the_images_content(daemon: Node) -> None:
    listed = daemon.docker("run", "--rm", "-v", "filled:/bin", "busybox", "ls", "/bin/busybox")

    assert "/bin/busybox\n" == listed.stdout
    daemon.docker("volume", "rm", "filled")


def test_anonymous_volume_goes_with_its_container(daemon: Node) -> None:
    daemon.docker("run", "--rm", "-v", "/scratch", "busybox", "true")

    left = daemon.docker("volume", "ls", "-q", "--filter", "label=com.docker.volume.anonymous")
    assert "" == left.stdout


def test_tmpfs_volume_is_mounted_while_used(daemon: Node) -> None:
    daemon.docker(
        "volume",
        "create",
        "--opt",
        "type=tmpfs",
        "--opt",
        "device=tmpfs",
        "--opt",
        "o=size=1m",
        "ram",
    )

    shown = daemon.docker("run", "--rm", "-v", "ram:/ram", "busybox", "df", "-k", "/ram")

    assert "1024" in shown.stdout.split()
    daemon.docker("volume", "rm", "ram")


def test_volume_in_use_is_kept_until_its_container_is_gone(daemon: Node) -> None:
    daemon.docker("run", "-d", "--name", "holder", "-v", "held:/data", "busybox", "sleep", "300")

    refused = daemon.docker("volume", "rm", "held", check=False)
    daemon.docker("rm", "-f", "holder")
    daemon.docker("volume", "rm", "held")

    assert "volume is in use" in refused.stderr
    assert [] == json.loads(
        daemon.docker("volume", "ls", "--format", "{{json .}}", "--filter", "name=held").stdout
        or "[]"
    )
