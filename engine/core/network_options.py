"""What a network's options say, driver by driver."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address

from msgspec import Struct

from api.errors import InvalidArgument, NotFound
from engine.core.sandbox import DUMMY_PREFIX

DRIVERS = frozenset({"bridge", "macvlan", "ipvlan"})
_BRIDGE = "com.docker.network.bridge."
_MTU = "com.docker.network.driver.mtu"
_PREFIX = "com.docker.network.container_iface_prefix"
_INTERFACE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}")
_MODES = {"macvlan": ("bridge", "private", "vepa", "passthru"), "ipvlan": ("l2", "l3", "l3s")}


_GATEWAY_MODES = ("nat", "nat-unprotected", "routed", "isolated")


class NoSuchNetworkDriver(NotFound):
    """The driver is neither built in nor a plugin."""

    def __init__(self, driver: str) -> None:
        super().__init__(f'could not find network driver "{driver}": plugin "{driver}" not found')


class NetworkOptions(Struct, frozen=True, kw_only=True):
    """The options in force; names as in the engine's record of a network.

    Of the families, 4 and 6: `routed` are without address translation, `unprotected` let everybody
    in who finds a way, `isolated` are not the host's either.
    """

    bridge: str = ""
    parent: str = ""
    mode: str = ""
    mtu: int = 0
    icc: bool = True
    masquerade: bool = True
    host_ip: str = ""
    prefix: str = "eth"
    routed: tuple[int, ...] = ()
    unprotected: tuple[int, ...] = ()
    isolated: tuple[int, ...] = ()


def parse_options(
    driver: str,
    options: Mapping[str, str],
    network_id: str,
    default_mtu: int,
    *,
    internal: bool = False,
) -> NetworkOptions:
    """Return what the options of a network, `internal` or not, say, defaults filled in.

    Errors:  InvalidArgument, NoSuchNetworkDriver.
    """
    if driver not in DRIVERS:
        raise NoSuchNetworkDriver(driver)
    prefix = options.get(_PREFIX, "") or "eth"
    if not _INTERFACE.fullmatch(f"{prefix}999"):
        raise InvalidArgument(f"invalid value {prefix!r} of the option {_PREFIX}")
    if driver == "bridge":
        found = _bridge(options, network_id, default_mtu, prefix)
        if found.isolated and not internal:
            raise InvalidArgument(
                "gateway mode 'isolated' can only be used for an internal network"
            )
        return found
    return _child(driver, options, network_id, prefix)


def _bridge(
    options: Mapping[str, str], network_id: str, default_mtu: int, prefix: str
) -> NetworkOptions:
    name = options.get(_BRIDGE + "name", "") or f"br-{network_id[:12]}"
    if not _INTERFACE.fullmatch(name):
        raise InvalidArgument(f"invalid bridge name: {name}")
    modes = {family: _gateway_mode(options, family) for family in (4, 6)}
    return NetworkOptions(
        bridge=name,
        mtu=_mtu(options.get(_MTU, ""), default_mtu),
        icc=_flag(options, "enable_icc"),
        masquerade=_flag(options, "enable_ip_masquerade"),
        host_ip=_host_ip(options.get(_BRIDGE + "host_binding_ipv4", "")),
        prefix=prefix,
        routed=_families(modes, "routed"),
        unprotected=_families(modes, "nat-unprotected"),
        isolated=_families(modes, "isolated"),
    )


def _gateway_mode(options: Mapping[str, str], family: int) -> str:
    mode = options.get(f"{_BRIDGE}gateway_mode_ipv{family}", "") or _GATEWAY_MODES[0]
    if mode not in _GATEWAY_MODES:
        raise InvalidArgument(
            f"unknown gateway mode {mode}: expected one of {', '.join(_GATEWAY_MODES)}"
        )
    return mode


def _families(modes: Mapping[int, str], wanted: str) -> tuple[int, ...]:
    return tuple(family for family, mode in modes.items() if mode == wanted)


def _child(driver: str, options: Mapping[str, str], network_id: str, prefix: str) -> NetworkOptions:
    mode = options.get(f"{driver}_mode", "") or _MODES[driver][0]
    if mode not in _MODES[driver]:
        raise InvalidArgument(
            f"requested {driver} mode '{mode}' is not valid, '{_MODES[driver][0]}' mode is the "
            f"{driver} driver default"
        )
    parent = options.get("parent", "") or f"{DUMMY_PREFIX}{network_id[:12]}"
    if parent == "lo":
        raise InvalidArgument(f"loopback interface is not a valid {driver} parent link")
    if not _INTERFACE.fullmatch(parent):
        raise InvalidArgument(f"invalid parent interface: {parent}")
    return NetworkOptions(
        parent=parent, mode=mode, mtu=_mtu(options.get(_MTU, ""), 0), prefix=prefix
    )


def _flag(options: Mapping[str, str], name: str) -> bool:
    text = options.get(_BRIDGE + name, "true").lower()
    if text not in {"true", "false", "1", "0"}:
        raise InvalidArgument(f"invalid value {text!r} of the option {_BRIDGE}{name}")
    return text in {"true", "1"}


def _mtu(text: str, default: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 68 <= int(text[:6]) <= 65535):
        raise InvalidArgument(f"invalid value {text!r} of the option {_MTU}")
    return int(text)


def _host_ip(text: str) -> str:
    try:
        return str(ip_address(text)) if text else ""
    except ValueError as error:
        raise InvalidArgument(f"invalid host address {text}") from error
