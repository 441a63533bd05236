"""What the operator decided about this engine; the agent reads it from file and flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from api.types.containers import Ulimit
from api.types.resources import GenericResource
from engine.core.id_maps import IdMaps


@dataclass(frozen=True, slots=True)
class AddressPool:
    """A range that networks get their subnets from: `base` in CIDR form, cut in /`size` pieces."""

    base: str
    size: int


@dataclass(frozen=True, slots=True)
class RuntimeBinary:
    """An OCI runtime: a path (or a name on PATH), and arguments put before every command."""

    path: str
    args: tuple[str, ...] = ()


DEFAULT_POOLS = (
    *(AddressPool(f"172.{second}.0.0/16", 16) for second in range(17, 32)),
    AddressPool("192.168.0.0/16", 20),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The engine's configuration; names follow daemon.json, paths are absolute.

    `id_maps` are what `userns_remap` comes to on this machine, found when the daemon starts.
    """

    data_root: Path = Path("/var/lib/skep")
    exec_root: Path = Path("/run/skep")
    debug: bool = False
    labels: tuple[str, ...] = ()
    generic_resources: tuple[GenericResource, ...] = ()
    live_restore: bool = True
    shutdown_timeout_s: int = 15

    bridge: str = "skep0"
    bip: str = ""
    bip6: str = ""
    fixed_cidr: str = ""
    mtu: int = 1500
    icc: bool = True
    ip_forward: bool = True
    ip_masq: bool = True
    default_host_ip: str = ""
    firewall_table: str = "skep"
    address_pools: tuple[AddressPool, ...] = DEFAULT_POOLS
    dns: tuple[str, ...] = ()
    dns_opts: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()

    default_runtime: str = "runc"
    runtimes: Mapping[str, RuntimeBinary] = field(
        default_factory=lambda: {"runc": RuntimeBinary("runc"), "crun": RuntimeBinary("crun")}
    )
    monitor_path: str = "conmon"
    init: bool = False
    init_path: str = ""
    cgroup_parent: str = ""
    default_shm_size: int = 64 << 20
    default_ulimits: Mapping[str, Ulimit] = field(default_factory=dict)
    no_new_privileges: bool = False
    userns_remap: str = ""
    id_maps: IdMaps | None = None
    seccomp_profile: str = ""
    default_ipc_mode: str = "private"
    cdi_spec_dirs: tuple[Path, ...] = (Path("/etc/cdi"), Path("/var/run/cdi"))
    default_cgroupns_mode: str = ""

    log_driver: str = "json-file"
    log_opts: Mapping[str, str] = field(default_factory=dict)

    insecure_registries: tuple[str, ...] = ()
    registry_mirrors: tuple[str, ...] = ()
    max_concurrent_downloads: int = 3
    max_concurrent_uploads: int = 5
    max_download_attempts: int = 5


def containers_root(settings: Settings) -> tuple[int, int]:
    """Return the host's numbers of the root user of containers, and of what is theirs."""
    return settings.id_maps.root if settings.id_maps else (0, 0)


class LiveSettings:
    """The settings in force now; a reload replaces `current`, so read it at each use."""

    def __init__(self, current: Settings) -> None:
        self.current = current
