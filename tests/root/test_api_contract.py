"""Every built operation answers; answers have the shape of the Engine API's reference.

The reference (swagger.yaml of the Engine API) is looked for in $SKEP_SWAGGER and beside the
repository; without it the shapes are not compared.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.api.swagger import Reference
from tests.api.test_endpoints import read_rows
from tests.root.health import UnixConnection
from tests.root.node import Node

_BESIDE = Path(__file__).parents[3] / "shared" / "docker-api" / "swagger.yaml"
SWAGGER = Path(os.environ.get("SKEP_SWAGGER", _BESIDE))
BUILT = [row for row in read_rows() if row["status"] == "built"]
_BOX = {
    "Image": "busybox",
    "Cmd": ["sh", "-c", "echo out; echo err >&2; exec sleep 600"],
    "Labels": {"a": "b"},
    "ExposedPorts": {"80/tcp": {}},
    "Volumes": {"/data": {}},
    "HostConfig": {
        "PortBindings": {"80/tcp": [{"HostPort": ""}]},
        "Memory": 64 << 20,
        "Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}],
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
    },
}
# What a current Docker shows as null too, whatever its reference says: nil pointers.
_NULLS_OF_DOCKERS = frozenset(
    {
        "$.HostConfig.MemorySwappiness: null is no integer",
        "$.HostConfig.OomKillDisable: null is no boolean",
        "$.ExitCode: null is no integer",
    }
)
GETS = [
    "/_ping", "/version", "/info", "/containers/json?all=1&size=1", "/containers/{box}/json?size=1",
    "/containers/{box}/top", "/images/json?digests=1&shared-size=1", "/images/busybox/json",
    "/images/busybox/history", "/volumes", "/volumes/contract", "/networks", "/networks/bridge",
    "/networks/bridge?verbose=1", "/system/df", "/exec/{exec}/json",
    "/containers/{box}/stats?stream=false", "/containers/{box}/changes",
]  # fmt: skip
POSTS: list[tuple[str, object, int]] = [
    ("/containers/create?name=contract-2", _BOX, 201),
    ("/containers/{box}/exec", {"Cmd": ["true"]}, 201),
    ("/containers/{box}/update", {"Memory": 128 << 20, "MemorySwap": -1}, 200),
    ("/containers/{box}/kill?signal=KILL", None, 204),
    ("/containers/{box}/wait", None, 200),
    ("/containers/prune", None, 200),
    ("/networks/create", {"Name": "contract"}, 201),
    ("/networks/prune", None, 200),
    ("/volumes/create", {"Name": "contract-2", "Labels": {"a": "b"}}, 201),
    ("/volumes/prune", None, 200),
    ("/images/prune", None, 200),
    ("/images/busybox/tag?repo=contract&tag=1", None, 201),
    ("/commit?container={box}&repo=contract&tag=1", {}, 201),
]


def _row_of(method: str, target: str) -> str:
    """Return the path in the reference that a target belongs to; "" when it is not built yet."""
    parts = target.partition("?")[0].split("/")
    for row in BUILT:
        steps = row["path"].split("/")
        if row["method"] != method or len(steps) != len(parts):
            continue
        if all(a == b or a.startswith("{") for a, b in zip(steps, parts, strict=True)):
            return row["path"]
    return ""


def _call(node: Node, method: str, target: str, content: object = None) -> tuple[int, bytes]:
    connection = UnixConnection(node)
    body = None if content is None else json.dumps(content).encode()
    connection.request(method, target, body, {"Content-Type": "application/json"} if body else {})
    answer = connection.getresponse()
    received = answer.read()
    connection.close()
    return answer.status, received


@pytest.mark.parametrize("row", BUILT, ids=lambda row: row["operation"])
def test_built_operation_answers(daemon: Node, row: dict[str, str]) -> None:
    """Asked for what does not exist it says so, and neither that it is not built nor nothing."""
    target = row["path"].replace("{id}", "nobody").replace("{name}", "nobody")
    if row["operation"] == "SystemEvents":
        target += "?until=1"
    if row["operation"] == "ImageCreate":
        target += "?fromImage=127.0.0.1:1/nobody&tag=1"
    content: object = {} if row["method"] == "POST" else None
    if row["operation"] == "SwarmInit":
        content = {"AdvertiseAddr": "nobody:nobody"}  # `{}` would make a manager of the daemon

    status, received = _call(daemon, row["method"], target, content)

    assert 501 != status, received
    assert b"page not found" not in received
    assert 500 != status or b"internal error" not in received


@pytest.fixture(scope="module")
def reference() -> Reference:
    """Lend the Engine API's reference."""
    if not SWAGGER.exists():
        pytest.skip("needs the Engine API's swagger.yaml in $SKEP_SWAGGER")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return Reference(yaml.load(SWAGGER.read_text(), loader))


@pytest.fixture
def names(daemon: Node) -> Iterator[dict[str, str]]:
    """Lend a running container, an exec, a volume."""
    made: dict[str, str] = {}
    for key, target, content in (
        ("box", "/containers/create?name=contract", _BOX),
        ("volume", "/volumes/create", {"Name": "contract"}),
    ):
        answer = json.loads(_call(daemon, "POST", target, content)[1])
        made[key] = answer.get("Id") or answer["Name"]
    assert 204 == _call(daemon, "POST", f"/containers/{made['box']}/start")[0]
    made["exec"] = json.loads(
        _call(daemon, "POST", f"/containers/{made['box']}/exec", {"Cmd": ["true"]})[1]
    )["Id"]
    yield made
    daemon.remove_containers()
    daemon.docker("volume", "rm", "-f", "contract", "contract-2")
    daemon.docker("network", "rm", "contract", check=False)
    daemon.docker("rmi", "contract:1", check=False)


def _compare(
    reference: Reference, method: str, target: str, status: int, received: bytes
) -> list[str]:
    schema = reference.schema(_row_of(method, target), method, status)
    if schema is None or schema == {"type": "string"} or not received.strip():
        return []
    value: Any = json.loads(received)
    return [
        found for found in reference.complaints(value, schema) if found not in _NULLS_OF_DOCKERS
    ]


@pytest.mark.parametrize("target", [target for target in GETS if _row_of("GET", target)])
def test_what_is_read_has_the_shape_of_the_reference(
    daemon: Node, reference: Reference, names: dict[str, str], target: str
) -> None:
    target = target.format(**names)

    status, received = _call(daemon, "GET", target)

    assert 200 == status, received
    if target != "/_ping":
        assert [] == _compare(reference, "GET", target, status, received)


@pytest.mark.parametrize(
    ("target", "content", "expected"),
    [row for row in POSTS if _row_of("POST", row[0])],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_done_answers_as_the_reference_says(
    daemon: Node,
    reference: Reference,
    names: dict[str, str],
    target: str,
    content: object,
    expected: int,
) -> None:
    target = target.format(**names)
    if target.endswith("/wait"):
        assert 204 == _call(daemon, "POST", f"/containers/{names['box']}/stop?t=0")[0]

    status, received = _call(daemon, "POST", target, content)

    assert expected == status, received
    assert [] == _compare(reference, "POST", target, status, received)
