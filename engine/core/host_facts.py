"""What a container's configuration depends on besides the request: the kernel's abilities."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """A device node: `kind` is c or b; `mode` its permission bits."""

    path: str
    kind: str
    major: int
    minor: int
    mode: int = 0o666
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the kernel can do; memory in bytes.

    `controllers` are cgroup controllers by their v1 names (cpu, cpuset, memory, pids, blkio,
    hugetlb, devices, freezer); `capabilities` are those that we may hand on, with CAP_.
    `architecture` is the machine's own word (x86_64). `may_raise_limits` tells that we hold
    CAP_SYS_RESOURCE: without it hard limits cannot be raised nor oom_score_adj lowered.
    `has_systemd_cgroups` tells that systemd is asked for groups (paths are slices then).
    `has_x32` tells that programs of x86's x32 ABI can run.
    `online_cpus`, `online_mems` are numbers of those that may be given to a cpuset;
    `thermal_cpus` those whose throttle counters the kernel shows.
    """

    cgroup_version: int
    controllers: frozenset[str]
    capabilities: frozenset[str]
    cpus: int
    memory_bytes: int
    kernel: tuple[int, int]
    architecture: str
    has_swap_limit: bool = True
    has_swappiness: bool = True
    has_oom_kill_disable: bool = True
    has_blkio_weight: bool = True
    has_seccomp: bool = True
    has_x32: bool = True
    has_apparmor: bool = False
    has_cgroup_namespace: bool = True
    has_systemd_cgroups: bool = False
    has_ipv6: bool = True
    may_raise_limits: bool = True
    oom_score_adj: int = 0
    online_cpus: frozenset[int] = frozenset({0})
    online_mems: frozenset[int] = frozenset({0})
    thermal_cpus: tuple[int, ...] = ()
