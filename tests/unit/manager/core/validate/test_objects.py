"""Specs of the swarm, of nodes, networks, secrets and configs that the managers refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from api.errors import SkepError
from api.types.cluster_networks import NetworkSpec
from api.types.configs import ConfigSpec
from api.types.nodes import NodeSpec
from api.types.secrets import SecretSpec
from api.types.swarm import SwarmSpec
from manager.core.validate.networks import check_network_spec
from manager.core.validate.nodes import check_node_spec
from manager.core.validate.secrets import (
    CONFIG_LIMIT_BYTES,
    SECRET_LIMIT_BYTES,
    check_config_spec,
    check_secret_spec,
)
from manager.core.validate.swarm import (
    check_address_pools,
    check_data_path_port,
    check_swarm_spec,
)

PREFIX = "rpc error: code = InvalidArgument desc = "
CHECKS: dict[type, Callable[[Any], None]] = {
    SwarmSpec: check_swarm_spec,
    NodeSpec: check_node_spec,
    NetworkSpec: check_network_spec,
}


def overlay(**options: str) -> dict[str, Any]:
    return {"Name": "net", "DriverConfiguration": {"Name": "overlay", "Options": options}}


def pool(**parts: str) -> dict[str, Any]:
    return {"Name": "net", "IPAMOptions": {"Configs": [{"Subnet": "10.0.0.0/24", **parts}]}}


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (SwarmSpec, {"Name": "other"}, 'swarm spec must be named "default"'),
        (
            SwarmSpec,
            {"Dispatcher": {"HeartbeatPeriod": -1}},
            PREFIX + "heartbeat time period cannot be a negative duration",
        ),
        (
            SwarmSpec,
            {"CAConfig": {"NodeCertExpiry": 3599 * 10**9}},
            PREFIX + "minimum certificate expiry time is: 1h0m0s",
        ),
        (
            SwarmSpec,
            {"CAConfig": {"SigningCAKey": "x"}},
            PREFIX + "if a signing CA key is provided, the signing CA cert must also be provided",
        ),
        (
            SwarmSpec,
            {"CAConfig": {"ExternalCAs": [{"Protocol": "acme"}]}},
            'invalid protocol: "acme"',
        ),
        (
            SwarmSpec,
            {"Raft": {"ElectionTick": 1, "HeartbeatTick": 1}},
            PREFIX + "ElectionTick must be greater than HeartbeatTick, and both positive",
        ),
        (NodeSpec, {"Availability": "active"}, 'invalid Role: ""'),
        (NodeSpec, {"Role": "boss", "Availability": "active"}, 'invalid Role: "boss"'),
        (NodeSpec, {"Role": "worker", "Availability": "off"}, 'invalid Availability: "off"'),
        (NetworkSpec, {"Name": "a b"}, PREFIX + "name must be valid as a DNS name component"),
        (
            NetworkSpec,
            {"Name": "a", "Labels": {"com.docker.swarm.internal": ""}},
            "rpc error: code = PermissionDenied desc = label com.docker.swarm.internal is for "
            "predefined internal networks and cannot be applied by users",
        ),
        (
            NetworkSpec,
            {"Name": "a", "DriverConfiguration": {}},
            PREFIX + "driver name: if driver is specified name is required",
        ),
        (
            NetworkSpec,
            {"Name": "a", "DriverConfiguration": {"Name": "weave"}},
            PREFIX + "plugin weave not supported",
        ),
        (
            NetworkSpec,
            {"Name": "a", "Ingress": True, "Attachable": True},
            PREFIX + "ingress network cannot be attachable",
        ),
        *(
            (
                NetworkSpec,
                overlay(**{"com.docker.network.driver.overlay.vxlanid_list": text}),
                PREFIX + f"invalid VXLAN ids {text!r}: expected numbers from 1 to 16777215",
            )
            for text in ("0", "16777216", "5000,5000", "many", ",", "9" * 100)
        ),
        *(
            (
                NetworkSpec,
                overlay(**{"com.docker.network.driver.mtu": text}),
                PREFIX + f"invalid value {text!r} of the option com.docker.network.driver.mtu",
            )
            for text in ("67", "65536", "-1", "big")
        ),
        (NetworkSpec, pool(Subnet="x"), PREFIX + "ipam configuration: invalid subnet x"),
        (NetworkSpec, pool(Subnet=""), PREFIX + "ipam configuration: invalid subnet "),
        (NetworkSpec, pool(Range="1.2.3"), PREFIX + "ipam configuration: invalid range 1.2.3"),
        (
            NetworkSpec,
            pool(Range="10.0.1.0/25"),
            PREFIX + "ipam configuration: subnet 10.0.0.0/24 does not contain range 10.0.1.0/25",
        ),
        (NetworkSpec, pool(Gateway="x"), PREFIX + "ipam configuration: invalid gateway x"),
        (
            NetworkSpec,
            pool(Gateway="10.0.1.1"),
            PREFIX + "ipam configuration: subnet 10.0.0.0/24 does not contain gateway 10.0.1.1",
        ),
        *(
            (
                NetworkSpec,
                pool(Subnet=subnet),
                PREFIX + f"ipam configuration: no available addresses in {subnet}",
            )
            for subnet in (
                "127.0.0.0/24",
                "224.0.0.0/24",
                "10.0.0.0/31",
                "10.0.0.1/32",
                "fd00::/127",
            )
        ),
        *(
            (
                NetworkSpec,
                pool(Gateway=gateway),
                PREFIX + f"ipam configuration: gateway {gateway} stands for all of 10.0.0.0/24",
            )
            for gateway in ("10.0.0.0", "10.0.0.255")
        ),
    ],
)
def test_specs_that_make_no_sense_are_refused(
    kind: type, body: dict[str, Any], message: str
) -> None:
    with pytest.raises(SkepError) as refused:
        CHECKS[kind](msgspec.convert(body, kind))

    assert message == refused.value.message


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (SwarmSpec, {}),
        (SwarmSpec, {"Name": "default", "CAConfig": {"NodeCertExpiry": 3600 * 10**9}}),
        (NodeSpec, {"Role": "manager", "Availability": "drain"}),
        (NetworkSpec, pool(Range="10.0.0.128/25", Gateway="10.0.0.1")),
        (NetworkSpec, {"Name": "n", "DriverConfiguration": {"Name": "overlay"}, "Ingress": True}),
        (NetworkSpec, pool(Subnet="fd00::/64", Gateway="fd00::1")),
    ],
)
def test_specs_that_make_sense_are_accepted(kind: type, body: dict[str, Any]) -> None:
    CHECKS[kind](msgspec.convert(body, kind))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (SecretSpec(Data=b"x"), "name must be provided"),
        (
            SecretSpec(Name="a" * 65, Data=b"x"),
            "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end "
            "character must be [a-zA-Z0-9]",
        ),
        (SecretSpec(Name="a"), "secret data must be larger than 0 and less than 512000 bytes"),
        (
            SecretSpec(Name="a", Data=b"x" * SECRET_LIMIT_BYTES),
            "secret data must be larger than 0 and less than 512000 bytes",
        ),
        (ConfigSpec(Name="a"), "config data must be larger than 0 and less than 1024000 bytes"),
        (
            ConfigSpec(Name="a", Data=b"x" * CONFIG_LIMIT_BYTES),
            "config data must be larger than 0 and less than 1024000 bytes",
        ),
    ],
)
def test_secrets_and_configs_have_a_name_and_a_size(
    spec: SecretSpec | ConfigSpec, message: str
) -> None:
    with pytest.raises(SkepError) as refused:
        _check(spec)

    assert PREFIX + message == refused.value.message


@pytest.mark.parametrize(
    "spec",
    [
        SecretSpec(Name="a.b-c_d", Data=b"\0\xff"),
        SecretSpec(Name="a" * 64, Data=b"x" * (SECRET_LIMIT_BYTES - 1)),
        ConfigSpec(Name="a", Data=b"x" * (CONFIG_LIMIT_BYTES - 1)),
    ],
    ids=["odd", "large secret", "large config"],
)
def test_secrets_and_configs_hold_any_bytes(spec: SecretSpec | ConfigSpec) -> None:
    _check(spec)


def _check(spec: SecretSpec | ConfigSpec) -> None:
    if isinstance(spec, SecretSpec):
        check_secret_spec(spec)
    else:
        check_config_spec(spec)


@pytest.mark.parametrize(
    ("pools", "size", "message"),
    [
        (["10.0.0.0/8"], 30, "subnet size is out of range: 30"),
        (["10.0.0.0"], 24, "invalid base pool 10.0.0.0: invalid CIDR address: 10.0.0.0"),
        (["x/8"], 24, "invalid base pool x/8: invalid CIDR address: x/8"),
        (
            ["10.0.0.0/25"],
            0,
            'invalid CIDR: "10.0.0.0/25". Subnet size is too small for pool: 24',
        ),
        (
            ["10.0.0.0/8", "10.1.0.0/16"],
            24,
            "address pool 10.1.0.0/16 overlaps with 10.0.0.0/8",
        ),
    ],
)
def test_pools_that_give_no_subnets_are_refused(pools: list[str], size: int, message: str) -> None:
    with pytest.raises(SkepError) as refused:
        check_address_pools(pools, size)

    assert message == refused.value.message


def test_pools_and_ports_that_make_sense_are_accepted() -> None:
    check_address_pools(["10.0.0.0/8", "11.0.0.0/24"], 24)
    check_address_pools([], 0)
    for port in (0, 1024, 4789, 49151):
        check_data_path_port(port)


@pytest.mark.parametrize("port", [1, 1023, 49152, 70000])
def test_tunnels_use_unprivileged_ports(port: int) -> None:
    with pytest.raises(SkepError, match="1024 to 49151"):
        check_data_path_port(port)
