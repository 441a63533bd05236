"""Which addresses a node of a swarm listens on, advertises and moves data over.

Users give addresses, names of interfaces, or nothing. What is meant is decided here, from the list
of the machine's interfaces; names of networks of containers never stand for the machine.
Source: the reference's `docker swarm init` on `--advertise-addr`, `--listen-addr` and
`--data-path-addr`; its command line matches on some of these messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from api.errors import InvalidArgument

DEFAULT_PORT = 2377
_LARGEST_PORT = 65535

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface that is up, and its addresses in the kernel's order."""

    name: str
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """What addresses are chosen from; loopback and interfaces that are down are left out.

    `container_subnets` are those of the engine's networks, in CIDR form. `default_advertise` is
    the configuration's swarm-default-advertise-addr, "" for none.
    """

    interfaces: Sequence[Interface]
    container_subnets: Sequence[str] = ()
    default_advertise: str = ""


@dataclass(frozen=True, slots=True)
class Addresses:
    """A node's addresses: host and port, but for `data_path`, which has none and may be empty.

    `listen` may be the unspecified address. `local` is an address of this machine without port.
    """

    listen: str
    advertise: str
    data_path: str
    local: str


class BadAddress(InvalidArgument):
    """An address or the name of an interface cannot be used."""


class NoSystemAddress(BadAddress):
    """The machine has no address that others could use."""

    def __init__(self) -> None:
        super().__init__("could not find the system's IP address")


class AmbiguousAddress(BadAddress):
    """The machine has several addresses and nobody said which to use."""

    def __init__(self, first: tuple[str, Address], second: tuple[str, Address]) -> None:
        start = "could not choose an IP address to advertise since this system has multiple"
        if first[0] == second[0]:
            where = f"addresses on interface {first[0]} ({first[1]} and {second[1]})"
        else:
            where = (
                f"addresses on different interfaces ({first[1]} on {first[0]} and "
                f"{second[1]} on {second[0]})"
            )
        super().__init__(f"{start} {where}")


class AmbiguousInterface(BadAddress):
    """An interface that was named has several addresses of one family."""

    def __init__(self, name: str, first: Address, second: Address) -> None:
        super().__init__(
            f"interface {name} has more than one IPv{first.version} address ({first} and {second})"
        )


_NO_LISTEN = (
    "must specify a listening address because the address to advertise is not recognized as a "
    "system address, and a system's IP address to use could not be uniquely identified"
)
_BAD_LISTEN = (
    "listen address must be an IP address or network interface (with optional port number)"
)
_BAD_ADVERTISE = (
    "advertise address must be a non-zero IP address or network interface (with optional port "
    "number)"
)
_BAD_DATA_PATH = (
    "data path address must be a non-zero IP address or network interface (without a port number)"
)
_BAD_DEFAULT = (
    "default advertise address must be a non-zero IP address or network interface (without a "
    "port number)"
)


def choose(machine: Machine, listen: str, advertise: str, data_path: str) -> Addresses:
    """Return what these three stand for, each "" where the user said nothing.

    Errors:  BadAddress, NoSystemAddress, AmbiguousAddress, AmbiguousInterface.
    """
    listen_host, port = _listen(machine, listen)
    host, advertised_port = _advertise(machine, advertise, port)
    return Addresses(
        listen=join(str(listen_host), port),
        advertise=join(str(host), advertised_port),
        data_path=_data_path(machine, data_path),
        local=_local(machine, listen_host, host),
    )


def remote(text: str) -> str:
    """Return the address of a manager to join, with its port. Errors: BadAddress."""
    host, port = split(text.removeprefix("tcp://"), DEFAULT_PORT)
    if not host or any(letter in host for letter in "/ @"):
        raise BadAddress(f'invalid remoteAddr "{text}": invalid bind address format: {text}')
    return join(host, port)


def split(text: str, default_port: int) -> tuple[str, int]:
    """Return host and port of `host`, `host:port`, `[host]:port`; "" where there is no host.

    Errors:  BadAddress for a port that is none.
    """
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port_text = rest.removeprefix(":")
    elif text.count(":") > 1:
        host, port_text = text, ""
    else:
        host, _, port_text = text.partition(":")
    if not port_text:
        return host, default_port
    if not port_text.isdecimal() or not 0 < int(port_text) <= _LARGEST_PORT:
        raise BadAddress(f"invalid port in address {text}: {port_text}")
    return host, int(port_text)


def join(host: str, port: int) -> str:
    """Return `host:port`, with brackets around IPv6."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listen(machine: Machine, text: str) -> tuple[Address, int]:
    host, port = split(text.removeprefix("tcp://"), DEFAULT_PORT)
    if not host:
        return IPv4Address(0), port
    found = _of_interface(machine, host) or _parsed(host)
    if found is None:
        raise BadAddress(_BAD_LISTEN)
    return found, port


def _advertise(machine: Machine, text: str, port: int) -> tuple[Address, int]:
    if text:
        host, port = split(text, port)
        return _named(machine, host, _BAD_ADVERTISE), port
    if machine.default_advertise:
        return _named(machine, machine.default_advertise, _BAD_DEFAULT), port
    return system_address(machine), port


def _data_path(machine: Machine, text: str) -> str:
    return str(_named(machine, text, _BAD_DATA_PATH)) if text else ""


def _named(machine: Machine, host: str, complaint: str) -> Address:
    found = _of_interface(machine, host) or _parsed(host)
    if found is None or found.is_unspecified:
        raise BadAddress(complaint)
    return found


def _local(machine: Machine, listen: Address, advertise: Address) -> str:
    if not listen.is_unspecified:
        return str(listen)
    if advertise.is_loopback or any(advertise in each.addresses for each in machine.interfaces):
        return str(advertise)
    try:
        return str(system_address(machine))
    except BadAddress as error:
        raise BadAddress(_NO_LISTEN) from error


def system_address(machine: Machine) -> Address:
    """Return the one address that others surely mean by this machine; IPv4 before IPv6.

    Errors:  NoSystemAddress, AmbiguousAddress.
    """
    chosen: tuple[str, Address] | None = None
    for interface in machine.interfaces:
        usable = [each for each in interface.addresses if _is_usable(each)]
        if any(_is_of_containers(machine, each) for each in usable):
            continue
        address = _only_address(interface.name, usable)
        if address is None:
            continue
        if chosen is not None:
            raise AmbiguousAddress(chosen, (interface.name, address))
        chosen = (interface.name, address)
    if chosen is None:
        raise NoSystemAddress
    return chosen[1]


def _only_address(name: str, usable: Sequence[Address]) -> Address | None:
    for version in (4, 6):
        match [each for each in usable if each.version == version]:
            case [first, second, *_]:
                raise AmbiguousAddress((name, first), (name, second))
            case [address]:
                return address
    return None


def _of_interface(machine: Machine, name: str) -> Address | None:
    """Return the address of an interface; None if there is none of this name."""
    for interface in machine.interfaces:
        if interface.name != name:
            continue
        usable = [each for each in interface.addresses if _is_usable(each)]
        for version in (4, 6):
            match [each for each in usable if each.version == version]:
                case [first, second, *_]:
                    raise AmbiguousInterface(name, first, second)
                case [address]:
                    return address
        raise BadAddress(f"interface {name} has no usable IPv4 or IPv6 address")
    return None


def _parsed(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_usable(address: Address) -> bool:
    return not (
        address.is_unspecified
        or address.is_loopback
        or address.is_multicast
        or address.is_link_local
    )


def _is_of_containers(machine: Machine, address: Address) -> bool:
    return any(address in ip_network(each, strict=False) for each in machine.container_subnets)
