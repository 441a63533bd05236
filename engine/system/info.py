"""Describe the engine and its machine."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from msgspec import UNSET

from api.types.system import (
    AddressPoolInfo,
    Commit,
    FirewallInfo,
    IndexInfo,
    PluginsInfo,
    RegistryServiceConfig,
    Runtime,
    SystemInfo,
)
from engine.core.log_options import DRIVERS as LOG_DRIVERS
from engine.core.network_options import DRIVERS as NETWORK_DRIVERS
from engine.ports.host import Machine
from engine.settings import DEFAULT_POOLS, Settings
from engine.system.env import SystemEnv

_LOCAL_REGISTRIES = ["::1/128", "127.0.0.0/8"]
_PLUGINS = PluginsInfo(
    Volume=["local"],
    Network=sorted(NETWORK_DRIVERS | {"host", "null", "overlay"}),
    Authorization=None,
    Log=sorted(LOG_DRIVERS - {"none"}),
)


async def info(env: SystemEnv) -> SystemInfo:
    """Return what `docker info` prints; counts are of this moment, the machine's facts cached."""
    machine = await env.host.machine()
    settings = env.settings.current
    counts = env.counts()
    now_ns = env.clock.now_ns()
    forwarding = env.host.is_forwarding()
    return SystemInfo(
        ID=machine.engine_id,
        Containers=counts.running + counts.paused + counts.stopped,
        ContainersRunning=counts.running,
        ContainersPaused=counts.paused,
        ContainersStopped=counts.stopped,
        Images=counts.images,
        Driver="overlay2",
        DriverStatus=[
            ["Backing Filesystem", machine.backing_filesystem],
            ["Supports d_type", "true"],
            ["userxattr", "false"],
        ],
        Plugins=_PLUGINS,
        MemoryLimit=machine.limits.memory,
        SwapLimit=machine.limits.swap,
        CpuCfsPeriod=machine.limits.cpu_quota,
        CpuCfsQuota=machine.limits.cpu_quota,
        CPUShares=machine.limits.cpu_shares,
        CPUSet=machine.limits.cpuset,
        PidsLimit=machine.limits.pids,
        OomKillDisable=machine.limits.oom_kill_disable,
        IPv4Forwarding=forwarding,
        Debug=settings.debug,
        NFd=env.host.open_files() if settings.debug else 0,
        NGoroutines=len(asyncio.all_tasks()) if settings.debug else 0,
        SystemTime=_rfc3339_nano(now_ns),
        LoggingDriver=settings.log_driver,
        CgroupDriver="cgroupfs",
        CgroupVersion=str(machine.cgroup_version),
        NEventsListener=env.events.listener_count,
        KernelVersion=machine.kernel,
        OperatingSystem=machine.operating_system,
        OSVersion=machine.os_version,
        Architecture=machine.architecture,
        RegistryConfig=_registries(settings),
        NCPU=machine.cpus,
        MemTotal=machine.memory_bytes,
        GenericResources=list(settings.generic_resources) or None,
        DockerRootDir=str(settings.data_root),
        HttpProxy=_proxy("HTTP_PROXY"),
        HttpsProxy=_proxy("HTTPS_PROXY"),
        NoProxy=_environment("NO_PROXY"),
        Name=env.host.hostname(),
        Labels=list(settings.labels),
        ServerVersion=env.version,
        Runtimes=_runtimes(settings),
        DefaultRuntime=settings.default_runtime,
        Swarm=await env.cluster.info(),
        LiveRestoreEnabled=settings.live_restore,
        CDISpecDirs=[str(each) for each in settings.cdi_spec_dirs],
        InitBinary=Path(machine.init_path).name,
        RuncCommit=Commit(machine.runtime.commit or machine.runtime.version),
        InitCommit=Commit(machine.init.commit or machine.init.version),
        SecurityOptions=_security(settings, machine),
        DefaultAddressPools=(
            UNSET
            if settings.address_pools == DEFAULT_POOLS
            else [AddressPoolInfo(pool.base, pool.size) for pool in settings.address_pools]
        ),
        FirewallBackend=FirewallInfo("nftables", [["Table", f"inet {settings.firewall_table}"]]),
        Warnings=_warnings(machine, is_forwarding=forwarding),
    )


def _rfc3339_nano(now_ns: int) -> str:
    seconds, nanos = divmod(now_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"


def _runtimes(settings: Settings) -> dict[str, Runtime]:
    return {
        name: Runtime(binary.path, list(binary.args) if binary.args else UNSET)
        for name, binary in settings.runtimes.items()
    }


def _registries(settings: Settings) -> RegistryServiceConfig:
    mirrors = list(settings.registry_mirrors)
    indexes = {"docker.io": IndexInfo("docker.io", mirrors, Secure=True, Official=True)}
    networks = list(_LOCAL_REGISTRIES)
    for each in settings.insecure_registries:
        if _is_network(each):
            networks.append(each)
        else:
            indexes[each] = IndexInfo(each, [], Secure=False, Official=False)
    return RegistryServiceConfig(
        InsecureRegistryCIDRs=networks, IndexConfigs=indexes, Mirrors=mirrors or None
    )


def _is_network(text: str) -> bool:
    if "/" not in text:
        return False
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _security(settings: Settings, machine: Machine) -> list[str]:
    profile = settings.seccomp_profile or "builtin"
    options = [f"name=seccomp,profile={profile}"]
    if settings.id_maps is not None:
        options.append("name=userns")
    if machine.cgroup_version == 2:
        options.append("name=cgroupns")
    if settings.no_new_privileges:
        options.append("name=no-new-privileges")
    return options


def _warnings(machine: Machine, *, is_forwarding: bool) -> list[str]:
    present: Mapping[str, bool] = {
        "No memory limit support": machine.limits.memory,
        "No swap limit support": machine.limits.swap,
        "No cpu cfs quota support": machine.limits.cpu_quota,
        "No cpu cfs period support": machine.limits.cpu_quota,
        "No cpu shares support": machine.limits.cpu_shares,
        "No cpuset support": machine.limits.cpuset,
        "No pids limit support": machine.limits.pids,
        "IPv4 forwarding is disabled": is_forwarding,
    }
    return [f"WARNING: {lack}" for lack, is_fine in present.items() if not is_fine]


def _environment(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.lower(), "")


def _proxy(name: str) -> str:
    """Return a proxy's address with its credentials masked."""
    address = _environment(name)
    if "@" not in address:
        return address
    try:
        parts = urlsplit(address)
    except ValueError:
        return "xxxxx"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"xxxxx:xxxxx@{host}"))
