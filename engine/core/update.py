"""What a host configuration becomes when some of its limits are changed.

Words are the reference's: clients show them as they are.
"""

from __future__ import annotations

from msgspec.structs import replace

from api.errors import InvalidArgument
from api.types.containers import HostConfig
from api.types.update import ContainerUpdateRequest

# 0 and "" mean that the limit stays.
_PLAIN = (
    "BlkioWeight",
    "CpuShares",
    "CpuPeriod",
    "CpuQuota",
    "CpuRealtimePeriod",
    "CpuRealtimeRuntime",
    "NanoCpus",
    "CpusetCpus",
    "CpusetMems",
    "Memory",
    "MemoryReservation",
    "MemorySwap",
)


def updated(host: HostConfig, asked: ContainerUpdateRequest) -> HostConfig:
    """Return the host configuration after an update; what it may be is judged as at create.

    Errors:  InvalidArgument where the change contradicts what is in force.
    """
    _check_cpu(host, asked)
    _check_memory(host, asked)
    changes = {name: value for name in _PLAIN if (value := getattr(asked, name))}
    if asked.PidsLimit is not None:
        changes["PidsLimit"] = asked.PidsLimit if asked.PidsLimit > 0 else None
    if asked.NanoCpus:
        # They are spelled as period and quota, and must not be taken for set by the user.
        changes |= {"CpuPeriod": 0, "CpuQuota": 0}
    if asked.RestartPolicy.Name:
        if host.AutoRemove and asked.RestartPolicy.Name != "no":
            raise InvalidArgument(
                "Restart policy cannot be updated because AutoRemove is enabled for the container"
            )
        changes["RestartPolicy"] = asked.RestartPolicy
    return replace(host, **changes)


def _check_cpu(host: HostConfig, asked: ContainerUpdateRequest) -> None:
    if host.NanoCpus and not asked.NanoCpus:
        for name, value in (("Period", asked.CpuPeriod), ("Quota", asked.CpuQuota)):
            if value:
                raise InvalidArgument(
                    f"Conflicting options: CPU {name} cannot be updated "
                    "as NanoCPUs has already been set."
                )
    if asked.NanoCpus:
        for name, value in (("Period", host.CpuPeriod), ("Quota", host.CpuQuota)):
            if value:
                raise InvalidArgument(
                    "Conflicting options: Nano CPUs cannot be updated "
                    f"as CPU {name} has already been set."
                )
        if asked.CpuPeriod or asked.CpuQuota:
            name = "Period" if asked.CpuPeriod else "Quota"
            raise InvalidArgument(
                f"Conflicting options: Nano CPUs and CPU {name} cannot both be set."
            )


def _check_memory(host: HostConfig, asked: ContainerUpdateRequest) -> None:
    if asked.Memory and not asked.MemorySwap and 0 < host.MemorySwap < asked.Memory:
        raise InvalidArgument(
            "Memory limit should be smaller than already set memoryswap limit, "
            "update the memoryswap at the same time"
        )
