"""What a real client sends comes back as it was: tests/data/cluster_requests.jsonl.

Its lines are the bodies that docker 28.2 sent for `docker swarm`, `node`, `secret`, `config` and
`service create` with every flag that shows in them. Labels are the one exception: null and none
are {} afterwards, as a daemon answers them.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.errors import InvalidArgument
from api.http.bodies import json_decoder
from api.types.cluster_networks import ClusterNetwork
from api.types.resources import GenericResource, NamedGenericResource
from api.types.secrets import SecretSpec
from api.types.services import ReplicatedService, Service, ServiceSpec
from api.types.tasks import Task, TaskSpec, TaskState

REQUESTS = Path(__file__).parents[3] / "data" / "cluster_requests.jsonl"
LINES = [json.loads(line) for line in REQUESTS.read_text().splitlines()]


def round_trip(raw: bytes, kind: type[Any]) -> Any:
    return json.loads(msgspec.json.encode(json_decoder(kind)(raw)))


def with_labels(value: Any) -> Any:
    """Return JSON with null labels as {}."""
    if isinstance(value, dict):
        return {
            key: {} if (key, item) == ("Labels", None) else with_labels(item)
            for key, item in value.items()
        }
    return value


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["type"])
def test_requests_of_a_client_come_back_as_they_were(line: dict[str, Any]) -> None:
    module, _, name = line["type"].partition(":")
    kind = getattr(importlib.import_module(f"api.types.{module}"), name)

    assert with_labels(line["body"]) == round_trip(json.dumps(line["body"]).encode(), kind)


def test_a_task_of_a_daemon_comes_back_as_it_was() -> None:
    """Source: the form that `docker inspect` shows of a task, all its parts filled in."""
    meta = {
        "Version": {"Index": 18},
        "CreatedAt": "2016-06-07T20:31:11.912919752Z",
        "UpdatedAt": "2016-06-07T21:07:29.955277358Z",
    }
    pools = [{"Subnet": "10.255.0.0/16", "Gateway": "10.255.0.1"}]
    network = {
        "ID": "4qvuz4ko70xaltuqbt8956gd1",
        **meta,
        "Spec": {
            "Name": "ingress",
            "Labels": {"com.docker.swarm.internal": "true"},
            "DriverConfiguration": {},
            "Ingress": True,
            "IPAMOptions": {"Driver": {}, "Configs": pools},
            "Scope": "swarm",
        },
        "DriverState": {
            "Name": "overlay",
            "Options": {"com.docker.network.driver.overlay.vxlanid_list": "256"},
        },
        "IPAMOptions": {"Driver": {"Name": "default"}, "Configs": pools},
    }
    task = {
        "ID": "0kzzo1i0y4jz6027t0k7aezc7",
        **meta,
        "Labels": {},
        "Spec": {
            "ContainerSpec": {"Image": "redis", "Isolation": "default"},
            "Resources": {"Limits": {}, "Reservations": {}},
            "Placement": {"Platforms": [{"Architecture": "amd64", "OS": "linux"}]},
            "ForceUpdate": 0,
        },
        "ServiceID": "9mnpnzenvg8p8tdbtq4wvbkcz",
        "Slot": 1,
        "NodeID": "60gvrl6tm78dmak4yl7srz94v",
        "Status": {
            "Timestamp": "2016-06-07T21:07:31.290032978Z",
            "State": "running",
            "Message": "started",
            "ContainerStatus": {"ContainerID": "e5d62702a1b4", "PID": 677, "ExitCode": 0},
            "PortStatus": {},
        },
        "DesiredState": "running",
        "NetworksAttachments": [{"Network": network, "Addresses": ["10.255.0.10/16"]}],
        "GenericResources": [
            {"DiscreteResourceSpec": {"Kind": "SSD", "Value": 3}},
            {"NamedResourceSpec": {"Kind": "GPU", "Value": "UUID1"}},
        ],
        "JobIteration": {"Index": 4},
        "Volumes": None,
    }

    assert task == round_trip(json.dumps(task).encode(), Task)


def test_what_a_client_left_out_equals_what_it_sent_as_zero() -> None:
    """An update that says the same in other words must not replace a single task."""
    short = json_decoder(TaskSpec)(b'{"ContainerSpec": {"Image": "a"}}')
    long = json_decoder(TaskSpec)(
        b'{"ContainerSpec": {"Image": "a", "Env": null, "Labels": {}, "TTY": false, "Init": null},'
        b' "Placement": null, "Networks": [], "ForceUpdate": 0, "Runtime": ""}'
    )

    assert short == long


def test_no_replicas_and_none_said_are_two_things() -> None:
    none_said, zero = (json_decoder(ReplicatedService)(raw) for raw in (b"{}", b'{"Replicas": 0}'))

    assert (ReplicatedService(), b'{"Replicas":0}') == (none_said, msgspec.json.encode(zero))


def test_data_of_secrets_is_base64_on_the_wire() -> None:
    spec = json_decoder(SecretSpec)(b'{"Name": "pw", "Data": "aHVudGVyMgo="}')

    assert (b"hunter2\n", {}) == (spec.Data, spec.Labels)


@pytest.mark.parametrize(
    "body",
    [
        b'{"Mode": {"Replicated": {"Replicas": -1}}}',
        b'{"UpdateConfig": {"Parallelism": -1}}',
        b'{"TaskTemplate": {"Placement": {"MaxReplicas": 1.5}}}',
        b'{"TaskTemplate": {"ContainerSpec": {"Env": "A=1"}}}',
    ],
)
def test_values_that_go_could_not_hold_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidArgument, match="invalid JSON"):
        json_decoder(ServiceSpec)(body)


def test_empty_objects_show_what_go_always_shows() -> None:
    shown = {
        kind: set(json.loads(msgspec.json.encode(kind()))) for kind in (Service, ClusterNetwork)
    }

    meta = {"ID", "Version", "CreatedAt", "UpdatedAt", "Spec"}
    assert {Service: meta | {"Endpoint"}, ClusterNetwork: meta | {"DriverState"}} == shown


def test_a_generic_resource_shows_the_one_that_is_set() -> None:
    resource = GenericResource(NamedResourceSpec=NamedGenericResource("GPU", "UUID1"))

    assert b'{"NamedResourceSpec":{"Kind":"GPU","Value":"UUID1"}}' == msgspec.json.encode(resource)


def test_states_of_tasks_are_ordered_as_tasks_go_through_them() -> None:
    assert sorted(TaskState, key=lambda state: state.rank) == sorted(TaskState)
    assert TaskState.NEW < TaskState.RUNNING < TaskState.COMPLETE < TaskState.ORPHANED
    assert TaskState.READY >= TaskState.READY
