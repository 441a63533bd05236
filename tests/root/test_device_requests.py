"""Devices of the Container Device Interface in real containers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.root.conftest import new_node, with_busybox
from tests.root.node import Node

SPEC = {
    "cdiVersion": "0.6.0",
    "kind": "example.com/zero",
    "devices": [
        {
            "name": "one",
            "containerEdits": {
                "deviceNodes": [{"path": "/dev/my-zero", "hostPath": "/dev/zero"}],
                "env": ["ZERO=one"],
            },
        }
    ],
}


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """Lend a daemon with a directory of specifications, one of them broken."""
    with tempfile.TemporaryDirectory(prefix="skep-cdi-") as directory:
        Path(directory, "zero.json").write_text(json.dumps(SPEC))
        Path(directory, "broken.json").write_text("{")
        node = new_node()
        node.root.joinpath("daemon.json").write_text(json.dumps({"cdi-spec-dirs": [directory]}))
        with with_busybox(node):
            yield node


def test_a_device_by_name_is_there_and_works(node: Node) -> None:
    """`--device vendor.com/kind=name`."""
    script = "head -c 3 /dev/my-zero | wc -c; echo $ZERO"
    done = node.docker(
        "run", "--rm", "--device", "example.com/zero=one", "busybox", "sh", "-c", script
    )

    assert done.stdout.split() == ["3", "one"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--device", "example.com/zero=two"), "unresolvable CDI devices example.com/zero=two"),
        (("--gpus", "all"), 'could not select device driver "" with capabilities: [[gpu]]'),
    ],
)
def test_what_is_not_there_is_told(node: Node, arguments: tuple[str, ...], words: str) -> None:
    """Docker's words, which scripts match on."""
    done = node.docker("run", "--rm", *arguments, "busybox", "true", check=False)

    assert done.returncode == 125
    assert words in done.stderr
