"""Labels of a service that say how its published ports are answered."""

from __future__ import annotations

import pytest

from api.cluster_errors import InvalidSpec
from api.types.services import ServiceSpec
from manager.core.ingress_labels import (
    HEALTH_PORT,
    POLICY,
    check_ingress_labels,
    health_port,
    health_ports,
    is_local_only,
)


def spec(**labels: str) -> ServiceSpec:
    """Return a service with these labels: `policy` and `port`."""
    names = {"policy": POLICY, "port": HEALTH_PORT}
    return ServiceSpec(Name="web", Labels={names[key]: value for key, value in labels.items()})


def test_labels_are_read() -> None:
    assert is_local_only(spec(policy="local"))
    assert not is_local_only(spec(policy="cluster"))
    assert health_port(spec(port="9090")) == 9090
    assert [each.PublishedPort for each in health_ports(spec(port="9090"))] == [9090]
    assert health_ports(spec()) == []
    check_ingress_labels(spec(policy="local", port="9090"))


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "9" * 100, "٣", " 80"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    assert health_port(spec(port=port)) == 0
    with pytest.raises(InvalidSpec, match="is not a port"):
        check_ingress_labels(spec(port=port))


def test_a_policy_that_nobody_knows_is_refused() -> None:
    """A typing mistake would hide clients' addresses without a word."""
    with pytest.raises(InvalidSpec, match="expected local or cluster"):
        check_ingress_labels(spec(policy="lokal"))
