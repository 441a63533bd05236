"""What disk usage says is what is on the disk, and pruning gives it back."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.root.conftest import new_node, with_busybox
from tests.root.images import ImageFile, ImageSpec, busybox_layer, docker_archive, make_layer
from tests.root.node import Node

SHARED = busybox_layer()
EXTRA = b"x" * 70_001


def usage(node: Node, version: str, query: str = "") -> dict[str, Any]:
    """Return GET /system/df as an API version shows it."""
    url = f"http://x/v{version}/system/df{query}"
    command = ["curl", "-sf", "--unix-socket", str(node.socket), url]
    found: dict[str, Any] = json.loads(
        subprocess.run(command, capture_output=True, check=True).stdout
    )
    return found


def fill(node: Node) -> None:
    """Make two images that share a layer, a container that wrote, and a volume with a file."""
    more = make_layer([ImageFile("extra", EXTRA)])
    node.docker("load", stdin=docker_archive([ImageSpec(["df-more:1"], [SHARED, more])]))
    script = (
        "head -c 100003 /dev/zero >/f; ln /f /g; ln -s /f /h; mkdir /d; rm /bin/yes; "
        "head -c 5001 /dev/zero >/v/file"
    )
    node.docker("run", "--name", "df-c", "-v", "df-v:/v", "busybox", "sh", "-c", script)


@pytest.fixture(scope="module")
def filled_daemon() -> Iterator[Node]:
    """Lend a daemon that has these things and no other, to be looked at."""
    with with_busybox(new_node()) as node:
        fill(node)
        yield node


def test_sizes_are_true_to_the_byte(filled_daemon: Node) -> None:
    """Hard links count once, links by their length, directories and deletions not at all."""
    busybox = int(filled_daemon.docker("image", "inspect", "-f", "{{.Size}}", "busybox").stdout)

    found = usage(filled_daemon, "1.52", "?verbose=1")

    images = {each["RepoTags"][0]: each for each in found["ImageUsage"]["Items"]}
    assert busybox + len(EXTRA) == found["ImageUsage"]["TotalSize"]
    assert len(EXTRA) == found["ImageUsage"]["Reclaimable"]
    assert (1, 0) == (images["busybox:latest"]["Containers"], images["df-more:1"]["Containers"])
    assert busybox == images["busybox:latest"]["SharedSize"] == images["df-more:1"]["SharedSize"]
    written = 100_003 + len("/f")
    containers = found["ContainerUsage"]
    assert (1, 0, written, written) == tuple(
        containers[key] for key in ("TotalCount", "ActiveCount", "TotalSize", "Reclaimable")
    )
    assert written + busybox == containers["Items"][0]["SizeRootFs"]
    (volume,) = found["VolumeUsage"]["Items"]
    assert {"RefCount": 1, "Size": 5001} == volume["UsageData"]


def test_older_versions_get_the_objects_whole(filled_daemon: Node) -> None:
    """What the command of Debian's Docker shows is computed from these fields."""
    old, newer = usage(filled_daemon, "1.41"), usage(filled_daemon, "1.51")

    assert old["LayersSize"] == newer["LayersSize"] == usage(filled_daemon, "1.52")["ImageUsage"][
        "TotalSize"
    ]  # fmt: skip
    assert all(each["VirtualSize"] == each["Size"] for each in old["Images"])
    assert (0, []) == (old["BuilderSize"], old["BuildCache"])
    assert "VirtualSize" not in newer["Images"][0]
    assert "BuilderSize" not in newer
    assert ["Images"] == [
        key for key in usage(filled_daemon, "1.51", "?type=image") if key != "LayersSize"
    ]


def test_system_prune_gives_back_what_df_promised(fresh_daemon: Node) -> None:
    """All of it: afterwards nothing is left."""
    fill(fresh_daemon)
    before = usage(fresh_daemon, "1.52")

    said = fresh_daemon.docker("system", "prune", "-af", "--volumes").stdout
    fresh_daemon.docker("volume", "prune", "-af")

    after = usage(fresh_daemon, "1.52")
    assert "df-c" not in fresh_daemon.docker("ps", "-a").stdout
    assert "untagged: df-more:1" in said
    assert before["ImageUsage"]["TotalSize"] > 0
    assert [0, 0, 0] == [
        after[kind]["TotalSize"] for kind in ("ImageUsage", "ContainerUsage", "VolumeUsage")
    ]


def test_the_command_shows_a_table(filled_daemon: Node) -> None:
    """As a user sees it."""
    lines = filled_daemon.docker("system", "df").stdout.splitlines()

    assert ["Images", "2", "1"] == lines[1].split()[:3]
    assert ["Containers", "1", "0", "100kB"] == lines[2].split()[:4]
    assert ["Local", "Volumes", "1", "1", "5.001kB"] == lines[3].split()[:5]
