"""Published ports: what a request asks for, in the words of the API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address

from msgspec import Struct

from api.errors import Internal, InvalidArgument
from api.types.networks import PortBinding

PROTOCOLS = ("tcp", "udp", "sctp")


class PortAllocated(Internal):
    """Another container has the port."""

    def __init__(self, host_ip: str, port: int) -> None:
        super().__init__(f"Bind for {_bracketed(host_ip)}:{port} failed: port is already allocated")


class PortInUse(Internal):
    """Another program of the host has the port."""

    def __init__(self, protocol: str, host_ip: str, port: int) -> None:
        super().__init__(
            f"failed to bind host port {_bracketed(host_ip)}:{port}/{protocol}: "
            "address already in use"
        )


class HostAddressMissing(Internal):
    """No interface of the host has the address, or its family is switched off."""

    def __init__(self, protocol: str, host_ip: str, port: int) -> None:
        super().__init__(
            f"failed to bind host port {_bracketed(host_ip)}:{port}/{protocol}: "
            "cannot assign requested address"
        )


class NoFreePort(Internal):
    """Every port of the range is taken."""

    def __init__(self) -> None:
        super().__init__("all ports are allocated")


class Wanted(Struct, frozen=True):
    """A container's port to be published at the first free port from `first` to `last`.

    `first` 0 means a port that the kernel would give. `host_ip` "" means every address.
    """

    port: int
    protocol: str
    host_ip: str = ""
    first: int = 0
    last: int = 0

    @property
    def key(self) -> str:
        """The port as the API's maps spell it."""
        return f"{self.port}/{self.protocol}"


def parse_port(text: str) -> tuple[int, str]:
    """Return (port, protocol) of "80/tcp" or "80". Errors: InvalidArgument."""
    number, _, protocol = text.partition("/")
    protocol = (protocol or "tcp").lower()
    if protocol not in PROTOCOLS:
        raise InvalidArgument(f"invalid port specification: {text!r}: invalid proto: {protocol}")
    return _number(number, text, lowest=1), protocol


def parse_host_port(text: str) -> tuple[int, int]:
    """Return (first, last) of "8080" or "8000-8010"; (0, 0) for "" and "0".

    Errors:  InvalidArgument.
    """
    if not text:
        return 0, 0
    low, dash, high = text.partition("-")
    first = _number(low, text, lowest=0)
    last = _number(high, text, lowest=0) if dash else first
    if last < first or (dash and first == 0):
        raise InvalidArgument(f"invalid port specification: {text!r}")
    return first, last


def wanted_ports(
    bindings: Mapping[str, list[PortBinding] | None], exposed: Iterable[str], *, publish_all: bool
) -> list[Wanted]:
    """Return what is to be published, by port and protocol, fixed host ports first.

    With `publish_all` every exposed port without bindings gets a port from the kernel's range.
    Errors:  InvalidArgument for what is no port, range or address.
    """
    wanted = []
    for key, hosts in bindings.items():
        port, protocol = parse_port(key)
        for binding in hosts or ():
            first, last = parse_host_port(binding.HostPort)
            wanted.append(Wanted(port, protocol, _host_ip(binding.HostIp), first, last))
    if publish_all:
        bound = {(each.port, each.protocol) for each in wanted}
        open_ports = {parse_port(each) for each in exposed} | {parse_port(key) for key in bindings}
        wanted += [Wanted(*each) for each in open_ports - bound]
    return sorted(
        wanted, key=lambda each: (each.first == 0, each.last > each.first, each.port, each.protocol)
    )


def candidates(wanted: Wanted, ephemeral: tuple[int, int], start: int) -> Iterator[int]:
    """Yield the host ports to try, in order; ephemeral ones go round from `start`."""
    if wanted.first:
        yield from range(wanted.first, wanted.last + 1)
        return
    low, high = ephemeral
    count = high - low + 1
    for step in range(count):
        yield low + (start - low + step) % count


def host_addresses(host_ip: str, default: str, *, ipv4: bool, ipv6: bool) -> list[str]:
    """Return the host's addresses to publish on, for an endpoint with these families.

    "" means the network's default, and with none every address of each family; a given address
    counts only if the container has its family.
    """
    chosen = host_ip or default
    if not chosen:
        return [*(["0.0.0.0"] if ipv4 else []), *(["::"] if ipv6 else [])]  # noqa: S104  (what was asked)
    version = ip_address(chosen).version
    return [chosen] if (ipv4 if version == 4 else ipv6) else []


def _host_ip(text: str) -> str:
    if not text:
        return ""
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError as error:
        raise InvalidArgument(f"invalid IP address: {text}") from error


def _number(text: str, whole: str, *, lowest: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 5:
        raise InvalidArgument(f"invalid port specification: {whole!r}")
    number = int(text)
    if not lowest <= number <= 65535:
        raise InvalidArgument(f"invalid port specification: {whole!r}")
    return number


def _bracketed(host_ip: str) -> str:
    return f"[{host_ip}]" if ":" in host_ip else host_ip
