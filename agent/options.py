"""The daemon's options by the names that daemon.json gives them, as they stand in the file."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from api.types.containers import Ulimit


class PoolOption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of default-address-pools."""

    base: str
    size: int


class RuntimeOption(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"runtime_args": "runtimeArgs"}
):
    """One of runtimes, by its name."""

    path: str
    runtime_args: list[str] = []


class Options(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """What file and flags say; UNSET where they say nothing.

    Names are Docker's, but for our own allow-plain-tcp, firewall-table, log-format, monitor-path.
    """

    hosts: list[str] | UnsetType = UNSET
    group: str | UnsetType = UNSET
    pidfile: str | UnsetType = UNSET
    data_root: str | UnsetType = UNSET
    exec_root: str | UnsetType = UNSET
    tls: bool | UnsetType = UNSET
    tlsverify: bool | UnsetType = UNSET
    tlscacert: str | UnsetType = UNSET
    tlscert: str | UnsetType = UNSET
    tlskey: str | UnsetType = UNSET
    allow_plain_tcp: bool | UnsetType = UNSET
    debug: bool | UnsetType = UNSET
    log_level: str | UnsetType = UNSET
    log_format: str | UnsetType = UNSET
    labels: list[str] | UnsetType = UNSET
    live_restore: bool | UnsetType = UNSET
    shutdown_timeout: int | UnsetType = UNSET
    bridge: str | UnsetType = UNSET
    bip: str | UnsetType = UNSET
    bip6: str | UnsetType = UNSET
    fixed_cidr: str | UnsetType = UNSET
    mtu: int | UnsetType = UNSET
    icc: bool | UnsetType = UNSET
    ip: str | UnsetType = UNSET
    ip_forward: bool | UnsetType = UNSET
    ip_masq: bool | UnsetType = UNSET
    firewall_table: str | UnsetType = UNSET
    default_address_pools: list[PoolOption] | UnsetType = UNSET
    dns: list[str] | UnsetType = UNSET
    dns_opts: list[str] | UnsetType = UNSET
    dns_search: list[str] | UnsetType = UNSET
    default_runtime: str | UnsetType = UNSET
    runtimes: dict[str, RuntimeOption] | UnsetType = UNSET
    monitor_path: str | UnsetType = UNSET
    init: bool | UnsetType = UNSET
    init_path: str | UnsetType = UNSET
    cgroup_parent: str | UnsetType = UNSET
    default_shm_size: str | int | UnsetType = UNSET
    default_ulimits: dict[str, Ulimit] | UnsetType = UNSET
    no_new_privileges: bool | UnsetType = UNSET
    seccomp_profile: str | UnsetType = UNSET
    userns_remap: str | UnsetType = UNSET
    default_ipc_mode: str | UnsetType = UNSET
    default_cgroupns_mode: str | UnsetType = UNSET
    cdi_spec_dirs: list[str] | UnsetType = UNSET
    log_driver: str | UnsetType = UNSET
    log_opts: dict[str, str] | UnsetType = UNSET
    insecure_registries: list[str] | UnsetType = UNSET
    registry_mirrors: list[str] | UnsetType = UNSET
    max_concurrent_downloads: int | UnsetType = UNSET
    max_concurrent_uploads: int | UnsetType = UNSET
    max_download_attempts: int | UnsetType = UNSET
    swarm_default_advertise_addr: str | UnsetType = UNSET
    node_generic_resources: list[str] | UnsetType = UNSET


KEYS = frozenset(Options.__struct_encode_fields__)
