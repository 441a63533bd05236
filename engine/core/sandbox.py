"""The names and addresses of a container's links."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from api.errors import InvalidArgument

# Begins the names of interfaces that are made for macvlan networks without a parent.
DUMMY_PREFIX = "dm-"
# The bridge of an overlay network, in the network's own namespace.
OVERLAY_BRIDGE = "br0"


def host_link_name(container_id: str, network_id: str) -> str:
    """Return the host's end of a link: the same at each call, 15 letters at most (IFNAMSIZ)."""
    digest = hashlib.sha256(f"{container_id}/{network_id}".encode()).hexdigest()
    return f"veth{digest[:10]}"


def mac_of(address: str) -> str:
    """Return the MAC address that belongs to an IPv4 address: 02:42 and its four bytes.

    One address has one MAC for ever, so neighbours' caches stay right when it changes hands.
    """
    return mac_from(IPv4Address(address).packed)


def mac_of_endpoint(addresses: Sequence[str]) -> str:
    """Return the MAC address of an endpoint on an overlay network, which other nodes know too."""
    for address in addresses:
        if ":" not in address:
            return mac_of(address)
    return mac_from(hashlib.sha256(IPv6Address(addresses[0]).packed).digest())


def mac_from(seed: bytes) -> str:
    """Return the MAC address of 02:42, locally administered, and four bytes."""
    return ":".join(f"{byte:02x}" for byte in (0x02, 0x42, *seed[:4]))


def parse_mac(text: str) -> str:
    """Return a MAC address in lower case with colons. Errors: InvalidArgument."""
    digits = text.lower().replace("-", ":").split(":")
    is_good = len(digits) == 6 and all(
        len(each) == 2 and all(digit in "0123456789abcdef" for digit in each) for each in digits
    )
    if not is_good:
        raise InvalidArgument(f"invalid MAC address: {text}")
    return ":".join(digits)
