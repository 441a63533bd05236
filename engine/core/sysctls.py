"""Kernel parameters of a container: only those that a namespace of its own holds."""

from __future__ import annotations

import re
from collections.abc import Mapping

from api.errors import InvalidArgument

_ENDPOINT_OPTION = "com.docker.network.endpoint.sysctls"
_ENDPOINT_SYSCTL = re.compile(r"net\.(ipv4|ipv6|mpls)\.(conf|neigh)\.(IFNAME|ifname)\.[a-z0-9_]+")
_IPC_NAMES = "msgmax msgmnb msgmni sem shmall shmmax shmmni shm_rmid_forced"
_IPC = frozenset(f"kernel.{name}" for name in _IPC_NAMES.split())
_UTS = frozenset({"kernel.domainname"})
_LAST_GROUP = 2147483647


def resolve_sysctls(
    asked: Mapping[str, str] | None,
    *,
    domain: str,
    own_network: bool,
    own_ipc: bool,
    own_uts: bool,
    last_group: int = _LAST_GROUP,
) -> dict[str, str]:
    """Return the parameters to set, defaults included.

    `last_group` is the highest group id that the container's user namespace knows.
    Errors:  InvalidArgument for one that is the host's: outside any namespace, or of a namespace
    that the container shares.
    """
    values = _own_network(last_group) if own_network else {}
    if domain and own_uts:
        values["kernel.domainname"] = domain
    for given, value in (asked or {}).items():
        name = given.strip().replace("/", ".")
        check_sysctl(name, own_network=own_network, own_ipc=own_ipc, own_uts=own_uts)
        values[name] = value
    return values


def _own_network(last_group: int) -> dict[str, str]:
    """Ports below 1024 and ping for everybody: nothing else lives in the container's network."""
    return {
        "net.ipv4.ip_unprivileged_port_start": "0",
        "net.ipv4.ping_group_range": f"0 {min(last_group, _LAST_GROUP)}",
    }


def check_sysctl(name: str, *, own_network: bool, own_ipc: bool, own_uts: bool) -> None:
    """Raise InvalidArgument unless the parameter is the container's own."""
    if name.startswith("net."):
        if not own_network:
            raise InvalidArgument(f"sysctl '{name}' not allowed in host network namespace")
    elif name in _IPC or name.startswith("fs.mqueue."):
        if not own_ipc:
            raise InvalidArgument(f"sysctl '{name}' not allowed in host ipc namespace")
    elif name in _UTS:
        if not own_uts:
            raise InvalidArgument(f"sysctl '{name}' not allowed in host uts namespace")
    else:
        raise InvalidArgument(f'sysctl "{name}" is not in a separate kernel namespace')


def endpoint_sysctls(driver_options: Mapping[str, str], link: str) -> tuple[tuple[str, str], ...]:
    """Return (path under /proc/sys, value) for what an endpoint's options set on its interface.

    The option lists name=value with commas between; the word IFNAME stands for the interface,
    in small letters too, for the docker command sends it so.
    Errors:  InvalidArgument.
    """
    found = []
    for each in filter(None, driver_options.get(_ENDPOINT_OPTION, "").split(",")):
        name, equals, value = each.strip().partition("=")
        if not equals or not _ENDPOINT_SYSCTL.fullmatch(name):
            raise InvalidArgument(
                f"invalid {_ENDPOINT_OPTION} option {each!r}: expected "
                "net.<protocol>.<conf or neigh>.IFNAME.<setting>=<value>"
            )
        found.append(
            (name.replace(".", "/").replace("IFNAME", "ifname").replace("ifname", link, 1), value)
        )
    return tuple(found)
