"""Requests to create a container that make no sense, refused before anything is made.

Limits have their own rules (oci_limits), mounts too (mount_points). Words are the reference's.
"""

from __future__ import annotations

import re

from api.errors import InvalidArgument
from api.types.containers import ContainerConfig, HostConfig
from engine.core import restart
from engine.core.log_options import check_log
from engine.core.signals import parse_signal

_HOST_NAME = re.compile(
    r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*"
)
_ALIASED = ("", "default")


def network_mode(host_config: HostConfig) -> str:
    """Return the network mode with its default spelled out; "nat" and "default" are bridge."""
    mode = host_config.NetworkMode
    return "bridge" if mode in _ALIASED else mode


def joined_container(mode: str) -> str | None:
    """Return the container that a mode "container:X" speaks of, None for other modes."""
    kind, colon, ref = mode.partition(":")
    return ref if kind == "container" and colon else None


def check(config: ContainerConfig, host_config: HostConfig) -> None:
    """Refuse contradictions. Errors: InvalidArgument."""
    _check_config(config)
    restart.check(host_config.RestartPolicy, auto_remove=host_config.AutoRemove)
    _check_network(config, host_config)
    _check_namespaces(config, host_config)
    _check_missing_parts(host_config)
    check_log(host_config.LogConfig)


def check_remapped(host_config: HostConfig) -> None:
    """Refuse what a user namespace of its own does not let a container have.

    Errors:  InvalidArgument.
    """
    if host_config.UsernsMode == "host":
        return
    if host_config.Privileged:
        raise InvalidArgument(
            "privileged mode is incompatible with user namespaces.  "
            "You must run the container in the host namespace when running privileged mode"
        )
    if host_config.NetworkMode == "host":
        raise InvalidArgument(
            "cannot share the host's network namespace when user namespaces are enabled"
        )
    if host_config.PidMode == "host":
        raise InvalidArgument(
            "cannot share the host PID namespace when user namespaces are enabled"
        )


def _check_missing_parts(host_config: HostConfig) -> None:
    if host_config.StorageOpt:
        raise InvalidArgument(
            "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"
        )


def _check_config(config: ContainerConfig) -> None:
    if config.WorkingDir and not config.WorkingDir.startswith("/"):
        raise InvalidArgument(
            f"the working directory '{config.WorkingDir}' is invalid, "
            "it needs to be an absolute path"
        )
    for each in config.Env or []:
        if not each or each.startswith("="):
            raise InvalidArgument(f"invalid environment variable: {each}")
        if "\0" in each:
            raise InvalidArgument("invalid environment variable: it holds a zero byte")
    if any("\0" in word for word in [*(config.Entrypoint or []), *(config.Cmd or [])]):
        raise InvalidArgument("invalid command: a word holds a zero byte")
    if config.StopSignal:
        parse_signal(config.StopSignal)
    if len(config.Hostname) > 63 or (config.Hostname and not _HOST_NAME.fullmatch(config.Hostname)):
        raise InvalidArgument(f"invalid hostname format: {config.Hostname}")
    _check_health(config)


def _check_health(config: ContainerConfig) -> None:
    check = config.Healthcheck
    if not check:
        return
    for name in ("Interval", "Timeout", "StartPeriod", "StartInterval"):
        value = getattr(check, name) or 0
        if value and value < 1_000_000:
            raise InvalidArgument(f"{name} in Healthcheck cannot be less than 1ms")
    if (check.Retries or 0) < 0:
        raise InvalidArgument("Retries in Healthcheck cannot be negative")


def _check_network(config: ContainerConfig, host_config: HostConfig) -> None:
    mode = network_mode(host_config)
    joined = joined_container(mode)
    if mode in {"container:", "container"}:
        raise InvalidArgument("Invalid network mode: invalid container format container:<name|id>")
    if joined is not None:
        if host_config.Dns:
            raise InvalidArgument("conflicting options: dns and the network mode")
        if host_config.ExtraHosts:
            raise InvalidArgument(
                "conflicting options: custom host-to-IP mapping and the network mode"
            )
        if host_config.PortBindings or host_config.PublishAllPorts:
            raise InvalidArgument(
                "conflicting options: port publishing and the container type network mode"
            )
        if config.Hostname:
            raise InvalidArgument("conflicting options: hostname and the network mode")


def _check_namespaces(config: ContainerConfig, host_config: HostConfig) -> None:
    if host_config.UTSMode not in {"", "host"}:
        raise InvalidArgument(f"invalid UTS mode: {host_config.UTSMode}")
    if host_config.UTSMode == "host" and (config.Hostname or config.Domainname):
        raise InvalidArgument("conflicting options: hostname and the UTS mode")
    pid = host_config.PidMode
    if pid not in {"", "host"} and not joined_container(pid):
        raise InvalidArgument(f"invalid PID mode: {pid}")
    ipc = host_config.IpcMode
    if ipc not in {"", "host", "none", "private", "shareable"} and not joined_container(ipc):
        raise InvalidArgument(f"invalid IPC mode: {ipc}")
    if host_config.CgroupnsMode not in {"", "host", "private"}:
        raise InvalidArgument(f"invalid cgroup namespace mode: {host_config.CgroupnsMode}")
    if host_config.UsernsMode not in {"", "host"}:
        raise InvalidArgument(f"invalid USER mode: {host_config.UsernsMode}")
    if host_config.Isolation not in {"", "default"}:
        raise InvalidArgument(
            f"invalid isolation ({host_config.Isolation}): linux only supports 'default'"
        )
    if host_config.ShmSize < 0:
        raise InvalidArgument("SHM size can not be less than 0")
