"""Encrypted overlay networks: the IPsec ESP associations between this node and its peers.

The tunnels' packets of encrypted networks are encrypted from node to node, in transport mode, with
AES-256-GCM. Each direction of each pair of nodes has keys of its own, derived from the managers'
key and the two addresses; so no two associations ever use a nonce together. The index (SPI) comes
from the same derivation: who has the key knows it, and where it is in the kernel the key is right.

    states    (from, to, SPI) -> key     what is received with: every key; sent with: the current
    policies  (from, to, port) -> SPI    what a marked packet to that port of UDP needs

A marked packet without a policy is dropped, as one is that arrives in the clear.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TypeAlias

from msgspec import Struct

from api.addresses import version_of
from engine.core.nft_batch import replacement

REQUEST_ID = 0x5CE9
"""Stands in every state and policy of ours, so that others' are told apart."""
MARK = 0x1000
"""The bit of packets' marks that policies look for."""
OVERHEAD_BYTES = 34
"""What ESP adds: header, IV, trailer without padding, and a check value of 16 bytes."""

WORN_PACKETS = 1 << 31
"""So many packets by one state, half of what its sequence numbers are for, ask for a new key."""

_AES_BYTES, _SALT_BYTES, _SPI_BYTES = 32, 4, 4
# RFC 4303: 0 to 255 are reserved.
_FIRST_SPI = 256

StateKey: TypeAlias = tuple[str, str, int]
Path: TypeAlias = tuple[str, str, int]


class NetworkKey(Struct, frozen=True):
    """A key that the managers gave; later clocks are newer."""

    clock: int
    secret: bytes

    def __repr__(self) -> str:
        return f"NetworkKey(clock={self.clock})"


@dataclass(frozen=True, slots=True)
class Associations:
    """What is, or should be, in the kernel. Keys of states are those of RFC 4106, salt last."""

    states: Mapping[StateKey, bytes] = field(default_factory=dict, repr=False)
    policies: Mapping[Path, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What takes the kernel from one state to another, to be carried out in this order.

    What is sent with is there before it is asked for, and goes when nothing asks for it.
    """

    states: Mapping[StateKey, bytes] = field(default_factory=dict, repr=False)
    policies: Mapping[Path, int] = field(default_factory=dict)
    lost_policies: tuple[Path, ...] = ()
    lost_states: tuple[StateKey, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.states or self.policies or self.lost_policies or self.lost_states)


def associations(paths: Iterable[Path], keys: Iterable[NetworkKey]) -> Associations:
    """Return what a node needs for these (own address, peer's address, port of UDP).

    Should two peers have the same index at this node, which is as likely as a collision of 32
    bits, the second is not heard until the next key.
    """
    newest_first = sorted(keys, key=lambda each: each.clock, reverse=True)
    states: dict[StateKey, bytes] = {}
    policies: dict[Path, int] = {}
    heard: set[tuple[str, int]] = set()
    for own, peer, port in sorted(set(paths)):
        if own == peer or not newest_first or version_of(own) != version_of(peer):
            continue
        for key in newest_first:
            spi, secret = _derive(key, peer, own)
            if (own, spi) not in heard:
                heard.add((own, spi))
                states[peer, own, spi] = secret
        spi, secret = _derive(sending_key(newest_first), own, peer)
        states[own, peer, spi] = secret
        policies[own, peer, port] = spi
    return Associations(states, policies)


def sending_key(newest_first: list[NetworkKey]) -> NetworkKey:
    """Return the key to send by: the second, for not every node has the newest yet."""
    return newest_first[1] if len(newest_first) > 1 else newest_first[0]


def difference(present: Associations, wanted: Associations) -> Change:
    """Return what is to be written and what is to be deleted."""
    return Change(
        states={key: value for key, value in wanted.states.items() if key not in present.states},
        policies={
            path: spi for path, spi in wanted.policies.items() if present.policies.get(path) != spi
        },
        lost_policies=tuple(path for path in present.policies if path not in wanted.policies),
        lost_states=tuple(key for key in present.states if key not in wanted.states),
    )


def guard_text(table: str, vnis: Iterable[int], ports: Iterable[int]) -> str:
    """Return the transaction that has packets of these tunnels encrypted, and no others pass.

    Shape of the table, in the order that a packet meets it:

        sending   the kernel's own packets of these tunnels are marked, and so find their policy;
                  what a program sends in their form goes nowhere
        leaving   what found no policy goes nowhere; nor does a refusal of such a packet, by a node
                  whose tunnel is not there yet, or any more: it would quote what was decrypted
        arriving  what did not come by an association of ours goes nowhere
    """
    packets = f"udp dport {{ {_listed(ports)} }} @th,96,24 @vnis"
    content = f"""
set vnis {{ typeof @th,96,24; elements = {{ {_listed(vnis)} }} }}
chain sending {{
    type route hook output priority mangle; policy accept;
    {packets} meta skuid 0-4294967295 drop
    {packets} meta mark set meta mark | {MARK}
}}
chain leaving {{
    type filter hook postrouting priority filter; policy accept;
    {packets} rt ipsec missing drop
    icmp type destination-unreachable @th,240,16 {{ {_listed(ports)} }} @th,320,24 @vnis drop
    icmpv6 type destination-unreachable @th,400,16 {{ {_listed(ports)} }} @th,480,24 @vnis drop
}}
chain arrived {{
    ipsec in reqid {REQUEST_ID} return
    drop
}}
chain arriving {{
    type filter hook input priority filter - 1; policy accept;
    {packets} jump arrived
}}
"""
    return replacement(table, content)


def _derive(key: NetworkKey, source: str, target: str) -> tuple[int, bytes]:
    """Return index and key of what goes from one address to another.

    Source:  HKDF-Expand of RFC 5869 with SHA-256; the managers' key is uniform already.
    """
    ends = f"skep esp {ip_address(source)} {ip_address(target)} {key.clock}".encode()
    first = hmac.digest(key.secret, ends + b"\x01", hashlib.sha256)
    second = hmac.digest(key.secret, first + ends + b"\x02", hashlib.sha256)
    made = (first + second)[: _SPI_BYTES + _AES_BYTES + _SALT_BYTES]
    spi = int.from_bytes(made[:_SPI_BYTES])
    return max(spi, _FIRST_SPI), made[_SPI_BYTES:]


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(set(numbers))))
