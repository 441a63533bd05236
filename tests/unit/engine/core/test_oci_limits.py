"""Resource limits: the reference's ranges, words and defaults."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidArgument
from api.types.containers import HostConfig, Ulimit
from engine.core.host_facts import Facts
from engine.core.oci_limits import build_resources, check_limits, format_cpuset, parse_cpuset

FACTS = Facts(
    cgroup_version=2,
    controllers=frozenset({"cpu", "memory", "pids", "cpuset", "blkio"}),
    capabilities=frozenset(),
    cpus=2,
    memory_bytes=1 << 30,
    kernel=(6, 1),
    architecture="x86_64",
    online_cpus=frozenset({0, 1}),
)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (HostConfig(Memory=1 << 20), "Minimum memory limit allowed is 6MB"),
        (HostConfig(MemorySwap=1 << 30), "You should always set the Memory limit when using"),
        (HostConfig(Memory=8 << 20, MemorySwap=7 << 20), "Minimum memoryswap limit should be"),
        (HostConfig(NanoCpus=3 * 10**9), "Range of CPUs is from 0.01 to 2.00, as there are only 2"),
        (HostConfig(NanoCpus=10**9, CpuQuota=5000), "Nano CPUs and CPU Quota cannot both be set"),
        (HostConfig(CpuPeriod=10), "CPU cfs period can not be less than 1ms"),
        (HostConfig(CpusetCpus="0-4294967295"), "Invalid value 0-4294967295 for cpuset cpus"),
        (
            HostConfig(CpusetCpus="5"),
            "Requested CPUs are not available - requested 5, available: 0",
        ),
        (HostConfig(MemorySwappiness=101), "valid memory swappiness range is 0-100"),
        (HostConfig(BlkioWeight=5), "Range of blkio weight is from 10 to 1000"),
        (HostConfig(OomScoreAdj=2000), "Invalid value 2000, range for oom score adj is"),
        (HostConfig(Ulimits=[Ulimit("nosuch", 1, 1)]), "invalid ulimit type: nosuch"),
        (HostConfig(DeviceCgroupRules=["x 1:2 rwm"]), "invalid device cgroup rule format"),
    ],
)
def test_limit_out_of_range_is_refused_in_the_references_words(
    host: HostConfig, words: str
) -> None:
    with pytest.raises(InvalidArgument) as error:
        check_limits(host, FACTS)

    assert words in error.value.message


def test_swap_is_as_much_again_as_memory_unless_said() -> None:
    host, warnings = check_limits(HostConfig(Memory=64 << 20), FACTS)

    assert (host.MemorySwap, warnings) == (128 << 20, [])
    assert build_resources(host, FACTS, {})["memory"] == {"limit": 64 << 20, "swap": 128 << 20}


def test_cpus_become_a_quota() -> None:
    resources = build_resources(HostConfig(NanoCpus=1_500_000_000), FACTS, {})

    assert resources == {"cpu": {"quota": 150_000, "period": 100_000}}


@given(st.text(max_size=30))
def test_any_text_is_a_cpuset_or_not_and_never_large(text: str) -> None:
    numbers = parse_cpuset(text)

    assert numbers is None or len(numbers) <= 8192


@given(st.frozensets(st.integers(0, 8191), min_size=1, max_size=50))
def test_formatted_cpuset_reads_back(numbers: frozenset[int]) -> None:
    assert numbers == parse_cpuset(format_cpuset(numbers))
