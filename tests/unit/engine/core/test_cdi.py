"""Which devices a request means, and what they change in a container's configuration."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from api.errors import InvalidArgument
from api.types.containers import DeviceRequest
from engine.core.cdi import CdiSpec, apply_edits, edits_of, is_valid, wanted_devices

SPEC = msgspec.json.decode(
    b"""{
  "cdiVersion": "0.6.0", "kind": "nvidia.com/gpu",
  "containerEdits": {"env": ["DRIVER=1"]},
  "devices": [
    {"name": "0", "containerEdits": {
      "deviceNodes": [{"path": "/dev/gpu0", "type": "c", "major": 195, "minor": 7,
                       "permissions": "rw"}],
      "env": ["GPU=0"],
      "mounts": [{"hostPath": "/usr/lib/gpu", "containerPath": "/lib/gpu", "options": ["ro"]}],
      "hooks": [{"hookName": "createContainer", "path": "/bin/hook", "args": ["hook", "x"]}],
      "additionalGids": [44]}},
    {"name": "1", "containerEdits": {"env": ["GPU=1"]}},
    {"name": "all", "containerEdits": {"env": ["GPU=all"]}}
  ]
}""",
    type=CdiSpec,
)


def names(*requests: DeviceRequest) -> list[str]:
    """Return the names of the devices that requests mean."""
    return [device.name for _, device in wanted_devices(requests, [SPEC])]


def test_a_device_by_its_qualified_name() -> None:
    """`--device vendor.com/kind=name`; asked for twice, it is given once."""
    request = DeviceRequest(Driver="cdi", DeviceIDs=["nvidia.com/gpu=1"])

    assert names(request, request) == ["1"]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (DeviceRequest(Count=-1, Capabilities=[["gpu"]]), ["all"]),
        (DeviceRequest(Count=2, Capabilities=[["gpu"]]), ["0", "1"]),
        (DeviceRequest(DeviceIDs=["1"], Capabilities=[["gpu", "utility"]]), ["1"]),
        (DeviceRequest(Driver="nvidia", Count=1, Capabilities=[["gpu"]]), ["0"]),
    ],
)
def test_gpus_by_number_and_name(request_: DeviceRequest, expected: list[str]) -> None:
    """`--gpus all`, `--gpus 2`, `--gpus device=1`."""
    assert expected == names(request_)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (
            DeviceRequest(Driver="cdi", DeviceIDs=["a.com/b=c"]),
            "unresolvable CDI devices a.com/b=c",
        ),
        (DeviceRequest(Driver="cdi", DeviceIDs=["nosuch"]), "unresolvable CDI devices nosuch"),
        (DeviceRequest(Count=9, Capabilities=[["gpu"]]), "9 GPUs were asked for, the host has 2"),
        (
            DeviceRequest(Count=-1, Capabilities=[["tpu", "x"], ["y"]]),
            r'could not select device driver "" with capabilities: \[\[tpu x\] \[y\]\]',
        ),
        (
            DeviceRequest(Driver="intel", Capabilities=[["gpu"]]),
            r'could not select device driver "intel" with capabilities: \[\[gpu\]\]',
        ),
    ],
)
def test_what_nobody_has_is_refused(request_: DeviceRequest, words: str) -> None:
    """In Docker's words."""
    with pytest.raises(InvalidArgument, match=words):
        names(request_)


def test_no_specification_means_no_driver() -> None:
    """What most machines answer to `--gpus all`."""
    with pytest.raises(InvalidArgument, match=r"capabilities: \[\[gpu\]\]"):
        wanted_devices([DeviceRequest(Count=-1, Capabilities=[["gpu"]])], [])


def test_edits_reach_every_part_of_the_configuration() -> None:
    """The specification's own come first; a variable of the same name gives way."""
    spec: dict[str, Any] = {
        "process": {"env": ["GPU=none", "A=1"], "user": {"uid": 0}},
        "mounts": [],
        "linux": {"devices": [{"path": "/dev/gpu0"}], "resources": {"devices": []}},
    }

    chosen = wanted_devices([DeviceRequest(Driver="cdi", DeviceIDs=["nvidia.com/gpu=0"])], [SPEC])
    apply_edits(spec, edits_of(chosen))

    assert spec["process"]["env"] == ["A=1", "DRIVER=1", "GPU=0"]
    assert spec["process"]["user"]["additionalGids"] == [44]
    assert spec["mounts"] == [
        {"destination": "/lib/gpu", "type": "bind", "source": "/usr/lib/gpu", "options": ["ro"]}
    ]
    hook = {"path": "/bin/hook", "args": ["hook", "x"], "env": []}
    assert spec["hooks"] == {"createContainer": [hook]}
    assert [each["major"] for each in spec["linux"]["devices"]] == [195]
    assert spec["linux"]["resources"]["devices"] == [
        {"allow": True, "type": "c", "major": 195, "minor": 7, "access": "rw"}
    ]


@pytest.mark.parametrize("kind", ["", "gpu", "nvidia.com/", "/gpu", "a b/c", "../x/y"])
def test_a_kind_is_a_vendor_and_a_class(kind: str) -> None:
    """Files without one are no specifications."""
    assert is_valid(SPEC)
    assert not is_valid(CdiSpec(cdi_version="0.6.0", kind=kind))
