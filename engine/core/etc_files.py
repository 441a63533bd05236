"""The text of a container's hosts, resolv.conf and hostname files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv6Address, ip_address

from api.errors import InvalidArgument

DEFAULT_NAMESERVERS = ("8.8.8.8", "8.8.4.4")
HOST_GATEWAY = "host-gateway"

_LOOPBACK_HOSTS = (
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::\tip6-localnet",
    "ff00::\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
)


def hosts_file(
    hostname: str,
    domainname: str,
    addresses: Iterable[str],
    extra_hosts: Sequence[str] = (),
    gateway: str = "",
) -> str:
    """Return /etc/hosts: loopback names, the user's own lines, then the container's addresses.

    `extra_hosts` are "name:address" or "name=address"; the address host-gateway means `gateway`.
    Errors:  InvalidArgument as `extra_host` has it.
    """
    lines = list(_LOOPBACK_HOSTS)
    for entry in extra_hosts:
        name, address = extra_host(entry)
        lines.append(f"{gateway if address == HOST_GATEWAY else address}\t{name}")
    names = f"{hostname}.{domainname} {hostname}" if domainname else hostname
    lines += [f"{address}\t{names}" for address in addresses if address]
    return "\n".join(lines) + "\n"


def with_addresses(text: str, hostname: str, domainname: str, addresses: Iterable[str]) -> str:
    """Return a hosts file with the container's names under more addresses."""
    names = f"{hostname}.{domainname} {hostname}" if domainname else hostname
    start = text if not text or text.endswith("\n") else f"{text}\n"
    return start + "".join(f"{address}\t{names}\n" for address in addresses if address)


def without_addresses(text: str, addresses: Iterable[str]) -> str:
    """Return a hosts file without the lines of these addresses; all else stays as it is."""
    gone = set(addresses)
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if line.split(maxsplit=1)[:1] not in [[a] for a in gone])


def extra_host(entry: str) -> tuple[str, str]:
    """Return (name, address) of an --add-host entry. Errors: InvalidArgument."""
    name, found, address = entry.partition("=")
    if not found:
        name, found, address = entry.partition(":")
    if not found or not name or any(letter.isspace() for letter in name):
        raise InvalidArgument(f'bad format for add-host: "{entry}"')
    if address == HOST_GATEWAY:
        return name, address
    try:
        return name, str(ip_address(address.removeprefix("[").removesuffix("]")))
    except ValueError as error:
        raise InvalidArgument(f'invalid IP address in add-host: "{address}"') from error


def resolv_conf(
    host_text: str,
    dns: Sequence[str] = (),
    search: Sequence[str] = (),
    options: Sequence[str] = (),
    *,
    in_host_mode: bool = False,
    resolver: str = "",
) -> str:
    """Return /etc/resolv.conf: the host's, with what was asked for put in place of its parts.

    A container with a network of its own cannot reach a resolver on the host's loopback, nor one
    of a link-local zone: such are left out, and Docker's public defaults come in when none is left.
    The search domain "." means none. With a `resolver` of the engine's own that one is asked, and
    it asks the others (`nameservers`); names without a dot are complete then (ndots:0).
    """
    host_servers, host_search, host_options = _parse(host_text)
    servers = [resolver] if resolver else list(dns) or host_servers
    if not resolver and not dns and not in_host_mode:
        servers = [each for each in servers if _is_reachable(each)] or list(DEFAULT_NAMESERVERS)
    domains = list(search) or host_search
    words = list(options) or host_options
    if resolver and not any(each.startswith("ndots:") for each in words):
        words = [*words, "ndots:0"]
    lines = [f"nameserver {server}" for server in servers]
    if domains and domains != ["."]:
        lines.append(f"search {' '.join(each for each in domains if each != '.')}")
    if words:
        lines.append(f"options {' '.join(words)}")
    return "\n".join(lines) + "\n"


def nameservers(host_text: str, dns: Sequence[str] = ()) -> tuple[str, ...]:
    """Return whom the engine's resolver asks: those asked for, else the host's, its loopback too.

    Addresses with a zone are left out, as are words that are no addresses.
    """
    return tuple(each for each in dns or _parse(host_text)[0] if _is_address(each))


def _is_address(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (isinstance(address, IPv6Address) and address.scope_id)


def _parse(text: str) -> tuple[list[str], list[str], list[str]]:
    servers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        match line.split("#")[0].split(";")[0].split():
            case ["nameserver", address, *_]:
                servers.append(address)
            case ["search" | "domain", *names]:
                search = names
            case ["options", *words]:
                options += words
    return servers, search, options


def _is_reachable(server: str) -> bool:
    try:
        address = ip_address(server)
    except ValueError:
        return False
    has_zone = isinstance(address, IPv6Address) and address.scope_id is not None
    return not (address.is_loopback or has_zone)
