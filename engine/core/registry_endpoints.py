"""Where a registry is asked: mirrors first, then the registry itself, with or without TLS."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from api.references import DEFAULT_DOMAIN

_HUB = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One base URL to try, without a trailing slash; `verify` asks for a valid certificate.

    Credentials are for the registry only: a mirror is another host.
    """

    url: str
    verify: bool = True
    is_mirror: bool = False

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc


def endpoints(domain: str, insecure: Sequence[str], mirrors: Sequence[str]) -> list[Endpoint]:
    """Return what to try, in order.

    An insecure registry is asked with TLS first, whatever its certificate, and then without.
    """
    if domain == DEFAULT_DOMAIN:
        found = [
            Endpoint(url.rstrip("/"), verify=not is_insecure(urlsplit(url).netloc, insecure),
                     is_mirror=True)
            for url in mirrors
        ]  # fmt: skip
        return [*found, Endpoint(f"https://{_HUB}")]
    if is_insecure(domain, insecure):
        return [Endpoint(f"https://{domain}", verify=False), Endpoint(f"http://{domain}")]
    return [Endpoint(f"https://{domain}")]


def is_insecure(domain: str, insecure: Sequence[str]) -> bool:
    """Tell whether a registry may be asked without TLS: listed by name or range, or loopback."""
    host = urlsplit(f"//{domain}").hostname or ""
    if host == "localhost" or domain in insecure or host in insecure:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or any(_contains(each, address) for each in insecure)


def _contains(cidr: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False
