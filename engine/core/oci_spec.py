"""The OCI runtime configuration of a container, and of a process executed in one.

Source:  OCI runtime specification 1.0.2; defaults as the reference engine's.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.errors import InvalidArgument
from api.types.containers import ContainerConfig, DeviceMapping, HostConfig, Ulimit
from engine.core import capabilities, seccomp
from engine.core.host_facts import Device, Facts
from engine.core.id_maps import IdMap, IdMaps, NotMapped
from engine.core.oci_devices import device_nodes, device_rules, map_devices
from engine.core.oci_limits import build_resources
from engine.core.oci_mounts import (
    TERMINALS_GID,
    SpecMount,
    merge_mounts,
    root_propagation,
    system_mounts,
)
from engine.core.oci_security import (
    SecurityOptions,
    masked_paths,
    parse_security_options,
    readonly_paths,
)
from engine.core.sysctls import resolve_sysctls
from engine.core.users import User

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INIT_PATH = "/sbin/docker-init"
DEFAULT_SHM_SIZE = 64 << 20
HOST = "host"
_DESCRIPTOR_PATH = re.compile(r"/proc/(self|thread-self|[0-9]+)(/task/[0-9]+)?/(fd|cwd|root)(/|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaces:
    """Per kind: "" for a new one, "host" for the host's, else a path (/proc/PID/ns/ipc) to join.

    A user namespace is never a new one: the network namespace had to be made in it.
    """

    network: str = ""
    pid: str = ""
    ipc: str = ""
    uts: str = ""
    cgroup: str = ""
    user: str = HOST


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecInput:
    """All that decides a container's configuration, resolved.

    `rootfs` is the mounted tree on the host; `hostname` what the container is called; `files` host
    files by their place in the container (/etc/hosts …); `shm_source` a host directory shared as
    /dev/shm, "" for a tmpfs of its own; `host_devices` all of /dev, for a privileged container;
    `devices` what each mapping of `host_config.Devices` found; `block_devices` those of
    `oci_limits.block_device_paths`, by path; `init_path` the host's init program,
    "" for none; `seccomp_profile` JSON text, "" for the built-in one; `own_network` tells that the
    network namespace is nobody else's; `cgroups_path` as the runtime takes it; `ids` the maps of
    the user namespace, if it is not the host's.
    """

    container_id: str
    config: ContainerConfig
    host_config: HostConfig
    path: str
    args: Sequence[str]
    rootfs: str
    user: User
    hostname: str
    facts: Facts
    namespaces: Namespaces
    cgroups_path: str
    own_network: bool = True
    mounts: Sequence[SpecMount] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    shm_source: str = ""
    shm_size: int = DEFAULT_SHM_SIZE
    host_devices: Sequence[Device] = ()
    devices: Sequence[tuple[DeviceMapping, Sequence[Device]]] = ()
    block_devices: Mapping[str, Device] = field(default_factory=dict)
    init_path: str = ""
    default_ulimits: Mapping[str, Ulimit] = field(default_factory=dict)
    no_new_privileges: bool = False
    seccomp_profile: str = ""
    ids: IdMaps | None = None


def build_spec(given: SpecInput) -> dict[str, Any]:
    """Return the content of config.json.

    Errors:  InvalidArgument (capabilities, security options, sysctls, working directory, …).
    """
    host = given.host_config
    options = parse_security_options(host.SecurityOpt, no_new_privileges=given.no_new_privileges)
    bounding = _bounding(host, given.facts)
    mounts = list(given.mounts)
    if given.init_path:
        mounts.append(SpecMount(destination=INIT_PATH, source=given.init_path, read_only=True))
    spec: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "process": _process(given, options, bounding),
        "root": {"path": given.rootfs, "readonly": host.ReadonlyRootfs},
        "mounts": merge_mounts(_system_mounts(given, options), mounts, given.files),
        "annotations": dict(host.Annotations or {}),
        "linux": _linux(given, options, bounding),
    }
    if given.namespaces.uts != HOST and not given.namespaces.uts:
        spec["hostname"] = given.hostname
    return spec


def build_exec_process(
    *,
    container: SpecInput,
    command: Sequence[str],
    user: User,
    env: Sequence[str] | None = None,
    cwd: str = "",
    tty: bool = False,
    privileged: bool = False,
    console_size: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Return the OCI process object of a command in a running container.

    It has the container's limits, filter and variables; `cwd` "" is the container's own.
    Errors:  InvalidArgument.
    """
    host, config = container.host_config, container.config
    options = parse_security_options(
        host.SecurityOpt, no_new_privileges=container.no_new_privileges
    )
    if privileged:
        bounding = capabilities.resolve(
            [], [], privileged=True, available=container.facts.capabilities
        )
    else:
        bounding = _bounding(host, container.facts)
    base = build_env(config.Env, hostname=container.hostname, tty=tty)
    process: dict[str, Any] = {
        "terminal": tty,
        "user": _user(user),
        "args": list(command),
        "env": merge_env(base, env or []),
        "cwd": check_cwd(cwd or config.WorkingDir or "/"),
        "capabilities": _capability_sets(bounding, user),
        "noNewPrivileges": options.no_new_privileges,
        "rlimits": _rlimits(host.Ulimits, container.default_ulimits),
    }
    _set_profiles(process, host, options, container.facts)
    _set_console(process, console_size, tty=tty)
    return process


def _process(given: SpecInput, options: SecurityOptions, bounding: list[str]) -> dict[str, Any]:
    config, host = given.config, given.host_config
    args = [given.path, *given.args]
    if given.init_path:
        args = [INIT_PATH, "--", *args]
    process: dict[str, Any] = {
        "terminal": config.Tty,
        "user": _user(given.user),
        "args": args,
        "env": build_env(config.Env, hostname=given.hostname, tty=config.Tty),
        "cwd": check_cwd(config.WorkingDir or "/"),
        "capabilities": _capability_sets(bounding, given.user),
        "noNewPrivileges": options.no_new_privileges,
        "rlimits": _rlimits(host.Ulimits, given.default_ulimits),
    }
    # Without the right to lower it, the inherited value must do unless another was asked for.
    if host.OomScoreAdj or given.facts.may_raise_limits:
        process["oomScoreAdj"] = host.OomScoreAdj
    _set_profiles(process, host, options, given.facts)
    _set_console(process, host.ConsoleSize, tty=config.Tty)
    return process


def build_env(variables: Iterable[str] | None, *, hostname: str, tty: bool) -> list[str]:
    """Return a process's variables: ours first, those of the configuration over them."""
    ours = [f"PATH={DEFAULT_PATH}", f"HOSTNAME={hostname}"]
    if tty:
        ours.append("TERM=xterm")
    return merge_env(ours, variables or [])


def merge_env(base: Iterable[str], over: Iterable[str]) -> list[str]:
    """Return `base` with `over`: same names replaced in place, a name without "=" removed."""
    merged = {text.partition("=")[0]: text for text in base}
    for text in over:
        name, has_value, _ = text.partition("=")
        if has_value:
            merged[name] = text
        else:
            merged.pop(name, None)
    return list(merged.values())


def check_cwd(path: str) -> str:
    """Return a working directory, cleaned.

    Errors:  InvalidArgument when it is relative, or a descriptor of whoever starts the process
    (CVE-2024-21626: a leaked one would lead to the host).
    """
    if not path.startswith("/"):
        raise InvalidArgument(
            f"the working directory '{path}' is invalid, it needs to be an absolute path"
        )
    if "\0" in path:
        raise InvalidArgument("the working directory is invalid, it has a NUL")
    clean = "/" + posixpath.normpath(path).lstrip("/")
    if _DESCRIPTOR_PATH.match(clean):
        raise InvalidArgument(
            f"the working directory '{path}' is invalid, it names a process's own descriptor"
        )
    return clean


def cgroups_path(parent: str, container_id: str, *, systemd: bool) -> str:
    """Return the cgroup of a container as the runtime takes it.

    `parent` "" is ours. Under systemd it must be a slice.
    Errors:  InvalidArgument.
    """
    if systemd:
        if parent and not parent.endswith(".slice"):
            raise InvalidArgument(
                'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"'
            )
        return f"{parent or 'system.slice'}:skep:{container_id}"
    clean = "/" + posixpath.normpath("/" + (parent or "skep")).lstrip("/")
    return posixpath.join(clean, container_id)


def _bounding(host: HostConfig, facts: Facts) -> list[str]:
    return capabilities.resolve(
        host.CapAdd, host.CapDrop, privileged=host.Privileged, available=facts.capabilities
    )


def _system_mounts(given: SpecInput, options: SecurityOptions) -> list[dict[str, Any]]:
    privileged = given.host_config.Privileged
    return system_mounts(
        shm_size=given.host_config.ShmSize or given.shm_size,
        shm_source=given.shm_source,
        host_ipc=given.namespaces.ipc == HOST,
        has_queues=given.namespaces.ipc != HOST or given.ids is None,
        terminals_gid=_terminals_gid(given.ids),
        writable_sys=privileged,
        writable_cgroups=privileged or options.writable_cgroups,
    )


def _linux(given: SpecInput, options: SecurityOptions, bounding: list[str]) -> dict[str, Any]:
    host, spaces = given.host_config, given.namespaces
    linux: dict[str, Any] = {
        "cgroupsPath": given.cgroups_path,
        "namespaces": _namespaces(spaces),
        "resources": build_resources(host, given.facts, given.block_devices),
        "devices": [],
        "sysctl": resolve_sysctls(
            host.Sysctls or None,
            domain=given.config.Domainname,
            own_network=given.own_network and spaces.network != HOST,
            own_ipc=not spaces.ipc,
            own_uts=not spaces.uts,
            **({"last_group": given.ids.groups.count - 1} if given.ids else {}),
        ),
        "maskedPaths": masked_paths(host, options, given.facts),
        "readonlyPaths": readonly_paths(host, options),
    }
    if given.ids is not None:
        linux["uidMappings"] = _mappings(given.ids.users)
        linux["gidMappings"] = _mappings(given.ids.groups)
    if propagation := root_propagation(given.mounts):
        linux["rootfsPropagation"] = propagation
    if host.Privileged:
        linux["devices"] = device_nodes(given.host_devices)
        linux["resources"]["devices"] = [{"allow": True, "access": "rwm"}]
    else:
        nodes = [each for pair in given.devices for each in map_devices(*pair)]
        linux["devices"] = device_nodes(nodes)
        linux["resources"]["devices"] = device_rules(given.devices, host.DeviceCgroupRules)
    if (profile := _seccomp(given, options, bounding)) is not None:
        linux["seccomp"] = profile
    return linux


def _seccomp(
    given: SpecInput, options: SecurityOptions, bounding: list[str]
) -> Mapping[str, Any] | None:
    facts = given.facts
    if given.host_config.Privileged and not options.seccomp:
        return None
    chosen = options.seccomp or given.seccomp_profile
    if chosen == "unconfined":
        return None
    if not facts.has_seccomp:
        if options.seccomp:
            raise InvalidArgument(
                "seccomp is not enabled in your kernel, cannot run a custom seccomp profile"
            )
        return None
    held = frozenset(bounding)
    if chosen:
        return seccomp.parse_profile(chosen, held, facts.architecture, facts.kernel)
    return seccomp.default_filter(held, facts.architecture, facts.kernel, x32=facts.has_x32)


def _namespaces(spaces: Namespaces) -> list[dict[str, str]]:
    wanted = {
        "network": spaces.network,
        "pid": spaces.pid,
        "ipc": spaces.ipc,
        "uts": spaces.uts,
        "cgroup": spaces.cgroup,
        "user": spaces.user,
    }
    made = [{"type": "mount"}]
    for kind, where in wanted.items():
        if where != HOST:
            made.append({"type": kind, "path": where} if where else {"type": kind})
    return made


def _mappings(ids: IdMap) -> list[dict[str, int]]:
    return [
        {"containerID": inside, "hostID": outside, "size": count}
        for inside, outside, count in ids.ranges
    ]


def _terminals_gid(ids: IdMaps | None) -> int | None:
    """Return the group of terminals (tty in every image), None where it has no number."""
    try:
        if ids is not None:
            ids.groups.outside(TERMINALS_GID)
    except NotMapped:
        return None
    return TERMINALS_GID


def _user(user: User) -> dict[str, Any]:
    return {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)}


def _capability_sets(bounding: list[str], user: User) -> dict[str, list[str]]:
    # Inheritable and ambient stay empty (CVE-2022-24769); execve gives a non-root user none.
    sets = {"bounding": bounding}
    if user.uid == 0:
        sets |= {"effective": bounding, "permitted": bounding}
    return sets


def _rlimits(
    asked: Sequence[Ulimit] | None, defaults: Mapping[str, Ulimit]
) -> list[dict[str, Any]]:
    limits = {**defaults, **{limit.Name: limit for limit in asked or []}}
    return [
        {
            "type": f"RLIMIT_{name.upper()}",
            "soft": limit.Soft & 0xFFFFFFFFFFFFFFFF,
            "hard": limit.Hard & 0xFFFFFFFFFFFFFFFF,
        }
        for name, limit in sorted(limits.items())
    ]


def _set_profiles(
    process: dict[str, Any], host: HostConfig, options: SecurityOptions, facts: Facts
) -> None:
    # A kernel without AppArmor ignores profiles, as the reference has it; create warns.
    if not facts.has_apparmor:
        return
    if options.apparmor and options.apparmor != "unconfined" and not host.Privileged:
        process["apparmorProfile"] = options.apparmor


def _set_console(process: dict[str, Any], size: Sequence[int] | None, *, tty: bool) -> None:
    if tty and size and len(size) == 2 and all(0 < side < 65536 for side in size):
        process["consoleSize"] = {"height": size[0], "width": size[1]}
