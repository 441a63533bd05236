"""What an update makes of a host configuration, and what it must not."""

from __future__ import annotations

import pytest

from api.errors import InvalidArgument
from api.types.containers import HostConfig, RestartPolicy
from api.types.update import ContainerUpdateRequest
from engine.core.update import updated


def test_what_is_not_asked_for_stays() -> None:
    """Zero and empty mean: leave it."""
    host = HostConfig(Memory=1 << 25, CpuShares=512, PidsLimit=5, CpusetCpus="0")

    after = updated(host, ContainerUpdateRequest(CpuShares=256))

    assert after == HostConfig(Memory=1 << 25, CpuShares=256, PidsLimit=5, CpusetCpus="0")


@pytest.mark.parametrize("asked", [0, -1])
def test_a_limit_of_processes_is_lifted_by_zero_and_less(asked: int) -> None:
    """`docker update --pids-limit -1`."""
    after = updated(HostConfig(PidsLimit=5), ContainerUpdateRequest(PidsLimit=asked))

    assert after.PidsLimit is None


def test_restart_policy_is_changed_when_named() -> None:
    """`docker update --restart always`."""
    host = HostConfig(RestartPolicy=RestartPolicy("no"))
    always = RestartPolicy("always")

    assert updated(host, ContainerUpdateRequest(RestartPolicy=always)).RestartPolicy == always
    assert updated(host, ContainerUpdateRequest()).RestartPolicy == RestartPolicy("no")


@pytest.mark.parametrize(
    ("host", "asked", "words"),
    [
        (
            HostConfig(AutoRemove=True),
            ContainerUpdateRequest(RestartPolicy=RestartPolicy("always")),
            "Restart policy cannot be updated because AutoRemove is enabled for the container",
        ),
        (
            HostConfig(Memory=32 << 20, MemorySwap=64 << 20),
            ContainerUpdateRequest(Memory=128 << 20),
            "Memory limit should be smaller than already set memoryswap limit",
        ),
        (
            HostConfig(NanoCpus=10**9),
            ContainerUpdateRequest(CpuQuota=5000),
            "CPU Quota cannot be updated as NanoCPUs has already been set",
        ),
        (
            HostConfig(CpuPeriod=5000),
            ContainerUpdateRequest(NanoCpus=10**9),
            "Nano CPUs cannot be updated as CPU Period has already been set",
        ),
        (
            HostConfig(),
            ContainerUpdateRequest(NanoCpus=10**9, CpuQuota=5000),
            "Nano CPUs and CPU Quota cannot both be set",
        ),
    ],
)
def test_contradictions_are_refused(
    host: HostConfig, asked: ContainerUpdateRequest, words: str
) -> None:
    """In Docker's words."""
    with pytest.raises(InvalidArgument, match=words):
        updated(host, asked)
