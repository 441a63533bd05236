"""Specs of services that the managers refuse, each with Docker's words."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import SkepError
from api.types.services import ServiceSpec
from manager.core.validate.services import REPLICA_LIMIT, check_service_spec

REQUESTS = Path(__file__).parents[4] / "data" / "cluster_requests.jsonl"
BODIES = [json.loads(line) for line in REQUESTS.read_text().splitlines()]
SPECS = [each["body"] for each in BODIES if each["type"] == "services:ServiceSpec"]
GOOD: dict[str, Any] = {"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": "nginx"}}}


def changed(**parts: Any) -> dict[str, Any]:
    """Return a good spec with parts put in, `a__b=` for a nested one."""
    spec: dict[str, Any] = json.loads(json.dumps(GOOD))
    for path, value in parts.items():
        *parents, last = path.split("__")
        inner = spec
        for name in parents:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return spec


def task(**parts: Any) -> dict[str, Any]:
    return changed(**{f"TaskTemplate__{path}": value for path, value in parts.items()})


def container(**parts: Any) -> dict[str, Any]:
    return task(**{f"ContainerSpec__{path}": value for path, value in parts.items()})


def secret(name: str = "a", file: str | None = "f", **parts: Any) -> dict[str, Any]:
    target = {} if file is None else {"File": {"Name": file}}
    return {"SecretID": f"id-{name}", "SecretName": name, **target, **parts}


def config(name: str = "a", file: str = "f") -> dict[str, Any]:
    return {"ConfigID": f"id-{name}", "ConfigName": name, "File": {"Name": file}}


def port(**parts: Any) -> dict[str, Any]:
    return {"TargetPort": 80, **parts}


def check(body: dict[str, Any]) -> None:
    check_service_spec(msgspec.convert(body, ServiceSpec))


@pytest.mark.parametrize("body", SPECS, ids=lambda body: body["Name"])
def test_what_a_client_sends_is_accepted(body: dict[str, Any]) -> None:
    check(body)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (changed(Name=""), "meta: name must be provided"),
        (changed(Name="-web"), "name must be valid as a DNS name component"),
        (changed(Name="web.db"), "name must be valid as a DNS name component"),
        (changed(Name="web\n"), "name must be valid as a DNS name component"),
        (changed(Name="w" * 64), "name must be 63 characters or fewer"),
        (container(Image=""), "ContainerSpec: image reference must be provided"),
        (container(Image="A B"), 'ContainerSpec: "A B" is not a valid repository/tag'),
        (container(Hostname="{{.Nope}}"), "template: expansion: can't evaluate field Nope"),
        (container(Env=["=x"]), 'ContainerSpec: invalid environment variable: "=x"'),
        (
            container(Mounts=[{"Type": "tmpfs", "Target": "/a"}] * 2),
            "ContainerSpec: duplicate mount point: /a",
        ),
        (
            container(Mounts=[{"Type": "volume", "Source": "v", "Target": "a"}]),
            "invalid mount target, must be an absolute path: a",
        ),
        (
            container(Mounts=[{"Type": "bind", "Source": "a", "Target": "/a"}]),
            "invalid bind mount source, must be an absolute path: a",
        ),
        (
            container(Mounts=[{"Type": "volume", "Source": "/v", "Target": "/a"}]),
            "invalid volume mount source, must not be an absolute path: /v",
        ),
        (
            container(Mounts=[{"Type": "tmpfs", "Source": "x", "Target": "/a"}]),
            "invalid tmpfs source, source must be empty",
        ),
        (container(Mounts=[{"Type": "x", "Target": "/a"}]), "invalid mount type: x"),
        (
            container(Healthcheck={"Interval": 999_999}),
            "ContainerSpec: Interval in HealthConfig cannot be less than 1ms",
        ),
        (
            container(Healthcheck={"Retries": -1}),
            "ContainerSpec: Retries in HealthConfig cannot be negative",
        ),
        (container(StopGracePeriod=-1), "ContainerSpec: StopGracePeriod cannot be negative"),
        (
            container(Privileges={"CredentialSpec": {"File": "x"}}),
            "ContainerSpec: credential specs are for containers on Windows only",
        ),
        (
            container(Privileges={"Seccomp": {"Mode": "custom"}}),
            "ContainerSpec: a seccomp profile and the mode custom go together",
        ),
        (container(Isolation="hyperv"), 'ContainerSpec: isolation "hyperv" is for Windows only'),
        (container(Secrets=[secret(SecretID="")]), "malformed secret reference"),
        (
            container(Secrets=[secret(file=None)]),
            "malformed secret reference, no target provided",
        ),
        (
            container(Secrets=[secret(file="")]),
            "malformed file secret reference, invalid target file name provided",
        ),
        (
            container(Secrets=[secret("a"), secret("b")]),
            "secret references 'a' and 'b' have a conflicting target: 'f'",
        ),
        (
            container(Configs=[config("a"), config("b")]),
            "config references 'a' and 'b' have a conflicting target: 'f'",
        ),
        (
            task(Resources={"Limits": {"NanoCPUs": 1000}}),
            "invalid cpu value 1e-06: Must be at least 0.001",
        ),
        (
            task(Resources={"Reservations": {"MemoryBytes": 4194303}}),
            "invalid memory value 4194303: Must be at least 4MiB",
        ),
        (
            task(Resources={"SwapBytes": 1}),
            "a swap limit can only be used together with a memory limit",
        ),
        (
            task(
                Resources={
                    "Reservations": {"GenericResources": [{"DiscreteResourceSpec": {"Kind": "g"}}]}
                }
            ),
            "generic resource g: the number must be positive",
        ),
        (task(RestartPolicy={"Delay": -1}), "TaskSpec: restart-delay cannot be negative"),
        (task(RestartPolicy={"Window": -1}), "TaskSpec: restart-window cannot be negative"),
        (
            task(Placement={"Constraints": ["node.role"]}),
            "constraint expected one operator from ==, !=",
        ),
        (
            task(Placement={"Preferences": [{"Spread": {"SpreadDescriptor": "node.role"}}]}),
            'placement preference "node.role": only spreading over node.labels.<name> or '
            "engine.labels.<name> is supported",
        ),
        (
            changed(Mode={"Replicated": {"Replicas": 10**9}}),
            f"Number of replicas must be at most {REPLICA_LIMIT}, not {10**9}",
        ),
        (
            changed(Mode={"ReplicatedJob": {"TotalCompletions": 10**9}}),
            f"Number of completions must be at most {REPLICA_LIMIT}, not {10**9}",
        ),
        (
            changed(Mode={"GlobalJob": {}}, UpdateConfig={}),
            "Jobs may not have an update config",
        ),
        (changed(UpdateConfig={"Delay": -1}), "TaskSpec: update-delay cannot be negative"),
        (changed(UpdateConfig={"Monitor": -1}), "TaskSpec: update-monitor cannot be negative"),
        (
            changed(RollbackConfig={"MaxFailureRatio": 1.1}),
            "TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1",
        ),
        (
            changed(EndpointSpec={"Ports": [port(PublishedPort=1), port(PublishedPort=1)]}),
            "EndpointSpec: duplicate published ports provided",
        ),
        (
            changed(EndpointSpec={"Mode": "dnsrr", "Ports": [port()]}),
            "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
        ),
        (
            changed(EndpointSpec={"Ports": [port(PublishedPort=65536)]}),
            "EndpointSpec: invalid published port 65536",
        ),
        (
            changed(EndpointSpec={"Ports": [port(Protocol="icmp")]}),
            'EndpointSpec: invalid port protocol: "icmp"',
        ),
        (container(StopGracePeriod=2**70), "a value of the spec cannot be stored: "),
        (changed(Labels={"a": "x" * 2_000_000}), "the spec is too large: "),
    ],
)
def test_specs_that_make_no_sense_are_refused(body: dict[str, Any], why: str) -> None:
    with pytest.raises(SkepError) as refused:
        check(body)

    assert 400 == refused.value.http
    assert refused.value.message.startswith(f"rpc error: code = InvalidArgument desc = {why}")


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (
            task(RestartPolicy={"Condition": "always"}),
            400,
            'invalid RestartCondition: "always"',
        ),
        (
            changed(UpdateConfig={"FailureAction": "x"}),
            400,
            "unrecognized update failure action x",
        ),
        (changed(UpdateConfig={"Order": "x"}), 400, "unrecognized update order x"),
        (changed(EndpointSpec={"Mode": "x"}), 400, 'invalid resolution mode: "x"'),
        (changed(Mode={"Global": {}, "GlobalJob": {}}), 400, "must specify only one service mode"),
        (task(Runtime="x"), 400, "unsupported runtime"),
        (task(PluginSpec={}), 400, "mismatched Runtime and *Spec fields"),
        (
            task(Runtime="plugin"),
            501,
            "rpc error: code = Unimplemented desc = RuntimeSpec: unimplemented runtime in service "
            "spec",
        ),
    ],
)
def test_words_that_a_daemon_refuses_itself(
    body: dict[str, Any], status: int, message: str
) -> None:
    """Docker's daemon translates these before its managers see them, so they have no prefix."""
    with pytest.raises(SkepError) as refused:
        check(body)

    assert (status, message) == (refused.value.http, refused.value.message)


@pytest.mark.parametrize(
    "body",
    [
        changed(Name="a"),
        changed(Name="a" * 63),
        changed(Name="a-_b"),
        changed(Mode={"Replicated": {"Replicas": 0}}),
        changed(Mode={"Replicated": {"Replicas": REPLICA_LIMIT}}),
        changed(
            EndpointSpec={
                "Mode": "dnsrr",
                "Ports": [port(PublishMode="host", PublishedPort=80)],
            }
        ),
        changed(
            EndpointSpec={
                "Ports": [port(PublishedPort=53), port(PublishedPort=53, Protocol="udp"), port()]
            }
        ),
        container(Image="localhost:5000/a/b:c@sha256:" + "0" * 64),
        container(Secrets=[secret("a", "f"), secret("b", "g")], Configs=[config("a", "f")]),
        task(Resources={"Limits": {"NanoCPUs": 10**6, "MemoryBytes": 4 << 20}, "SwapBytes": -1}),
    ],
)
def test_edges_are_accepted(body: dict[str, Any]) -> None:
    check(body)


@given(st.text(alphabet="aA0-_.é", max_size=70))
def test_names_are_accepted_where_dns_would_take_them(name: str) -> None:
    inner = name.replace("-", "a").replace("_", "a")
    valid = (
        1 <= len(name) <= 63
        and inner.isascii()
        and inner.isalnum()
        and name[0] not in "-_"
        and name[-1] not in "-_"
    )

    try:
        check(changed(Name=name))
    except SkepError:
        assert not valid
    else:
        assert valid


_NUMBER = st.integers(-(2**70), 2**70)
_TEXT = st.text(max_size=8)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "Name": _TEXT,
            "Delay": _NUMBER,
            "Image": _TEXT,
            "Constraint": _TEXT,
            "Memory": _NUMBER,
            "Port": st.integers(0, 2**40),
            "Hostname": st.text(alphabet="{}.Task Slot", max_size=12),
        },
    )
)
def test_any_spec_is_accepted_or_refused_with_words(values: dict[str, Any]) -> None:
    places = {
        "Name": "Name",
        "Delay": "TaskTemplate__RestartPolicy__Delay",
        "Image": "TaskTemplate__ContainerSpec__Image",
        "Hostname": "TaskTemplate__ContainerSpec__Hostname",
        "Memory": "TaskTemplate__Resources__Limits__MemoryBytes",
    }
    body = changed(**{places[key]: value for key, value in values.items() if key in places})
    if "Constraint" in values:
        body["TaskTemplate"]["Placement"] = {"Constraints": [values["Constraint"]]}
    if "Port" in values:
        body["EndpointSpec"] = {"Ports": [port(PublishedPort=values["Port"])]}

    with suppress(SkepError):
        check(body)
