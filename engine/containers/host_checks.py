"""Refuse a host configuration that this host cannot give, before a container is made."""

from __future__ import annotations

from msgspec.structs import replace

from api.types.containers import HostConfig
from engine.containers.env import ContainersEnv
from engine.core import capabilities
from engine.core.bindings import wanted_ports
from engine.core.create_checks import check_remapped
from engine.core.etc_files import extra_host
from engine.core.oci_limits import check_limits
from engine.core.oci_security import (
    masked_paths,
    parse_security_options,
    profile_warnings,
    readonly_paths,
)
from engine.core.oci_spec import cgroups_path


def check_host(env: ContainersEnv, host: HostConfig) -> tuple[HostConfig, list[str]]:
    """Return the host configuration with limits and hidden paths as they will be, and warnings.

    Errors:  InvalidArgument.
    """
    facts, settings = env.host.facts.facts(), env.settings.current
    if settings.id_maps is not None:
        check_remapped(host)
    host, warnings = check_limits(host, facts)
    options = parse_security_options(host.SecurityOpt, no_new_privileges=settings.no_new_privileges)
    host = replace(
        host,
        MaskedPaths=masked_paths(host, options, facts),
        ReadonlyPaths=readonly_paths(host, options),
    )
    warnings += profile_warnings(options, facts)
    capabilities.resolve(
        host.CapAdd, host.CapDrop, privileged=host.Privileged, available=facts.capabilities
    )
    parent = host.CgroupParent or settings.cgroup_parent
    cgroups_path(parent, "x", systemd=facts.has_systemd_cgroups)
    wanted_ports(host.PortBindings or {}, frozenset(), publish_all=False)
    for entry in host.ExtraHosts or []:
        extra_host(entry)
    if host.NetworkMode == "host" and host.PortBindings:
        warnings.append("Published ports are discarded when using host network mode")
    return host, warnings


def default_cgroupns_mode(env: ContainersEnv) -> str:
    """Return the operator's choice; without one private under cgroup v2, host under v1."""
    if env.settings.current.default_cgroupns_mode:
        return env.settings.current.default_cgroupns_mode
    return "private" if env.host.facts.facts().cgroup_version == 2 else "host"
