"""Ports that services publish on every node, in the host and in the node's ingress sandbox.

Shape of both tables, for each family (here 4):

    ports4    protocol . port -> goto of<n>v4, where n is the number of its slots
    of<n>v4   dnat to the target of (protocol, port, a random number below n)
    slots4    (protocol, port, number) -> address . port
    known     protocol . port, of all that is published: what none of the targets took is refused,
              and leaves no trace in connection tracking that would keep datagrams from later ones

What comes of a stream that is tracked no more, since its target is gone, is left to the host and to
the sandbox, which refuse it: no other target knows of it.
Nothing translates between the families: a port is answered in those that targets have addresses of.
In the host the targets are tasks of the node itself, at their addresses on the bridge to the
outside, so that they see who their clients are; and the ingress sandbox, for all others. There the
targets are the others, at their addresses on the ingress network, reached under the sandbox's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from api.addresses import version_of
from engine.core.nft_batch import Batch, removal, replacement
from engine.core.slots import SlotChange, Slots, chain_of, write_slots

Port = tuple[str, int]
"""Protocol and number."""
Published = Mapping[Port, Mapping[str, int]]
"""Targets ("address . port", of both families) and their weights, by published port."""


class PublishedService(Struct, frozen=True, kw_only=True):
    """A service's ports, published and the container's own, by protocol; and its targets.

    `targets` are members of the ingress network with their weights. One that `is_local_only` is
    answered for by nodes with targets of their own alone. `health_port` is where a node tells how
    many it has, 0 for nowhere.
    """

    name: str = ""
    ports: tuple[tuple[str, int, int], ...]
    targets: Mapping[str, int] = {}
    is_local_only: bool = False
    health_port: int = 0


_FAMILIES = {4: "ip", 6: "ip6"}
# The target's port is `th dport`: called of one protocol, nft would look at that protocol alone.
_MAPS = """
map ports{n} {{ type inet_proto . inet_service : verdict; }}
map slots{n} {{ typeof meta l4proto . th dport . numgen random mod 2 : {proto} daddr . th dport; }}
"""
_OF = """
chain {chain} {{
    dnat {proto} to meta l4proto . th dport . numgen random mod {size} map @slots{n}
}}
"""
_LEAST_CHAINS = 8
_PUBLISHED = """
set known { type inet_proto . inet_service; }
chain refuse {
    type filter hook input priority 0; policy accept;
    ct state new meta l4proto { udp, sctp } meta l4proto . th dport @known reject
}
chain published {
    meta l4proto != { tcp, udp, sctp } return
    tcp flags & (fin | syn | rst | ack) != syn return
    fib daddr type != local return
    meta nfproto ipv4 meta l4proto . th dport vmap @ports4
    meta nfproto ipv6 meta l4proto . th dport vmap @ports6
}
"""
# The kernel takes nothing from ::1 or from a link-local address to other interfaces.
_HOST = """
chain prerouting {
    type nat hook prerouting priority -101; policy accept;
    ip daddr 127.0.0.0/8 return
    ip6 daddr fe80::/10 return
    jump published
}
chain output {
    type nat hook output priority -101; policy accept;
    ip6 daddr { ::1, fe80::/10 } return
    jump published
}
"""
_SANDBOX = """
chain prerouting {
    type nat hook prerouting priority -100; policy accept;
    jump published
}
chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    ct status dnat masquerade
}
"""


class Mesh:
    """One of the tables; each method returns the transaction that makes it so, "" for none.

    What was returned counts as done: where it failed, begin again with `whole`.
    Chains are made with the table, more of them than needed: libnftables (1.0.6) refuses a rule
    that looks up ports in a map which was there before.
    """

    def __init__(self, table: str, *, is_host: bool) -> None:
        self._table = table
        self._chains = _HOST if is_host else _SANDBOX
        self._slots: dict[Port, dict[int, Slots]] = {}
        self._largest = _LEAST_CHAINS

    def whole(self, published: Published) -> str:
        """Return what replaces the whole table, whatever is there, by one of exactly this."""
        self._slots, self._largest = {}, _LEAST_CHAINS
        self.change(published)
        return self._anew()

    def change(self, published: Published, gone: Iterable[Port] = ()) -> str:
        """Return what sets these ports' targets, and ends the publication of those gone."""
        batch = Batch(self._table)
        for port in gone:
            if port in self._slots:
                batch.delete("known", _key(port))
            for n, slots in self._slots.pop(port, {}).items():
                write_slots(batch, _key(port), n, slots.change({}), sizes=f"ports{n}")
        largest = self._largest
        for port, targets in published.items():
            if port not in self._slots:
                self._slots[port] = {n: Slots() for n in _FAMILIES}
                batch.add("known", _key(port))
            own: dict[int, dict[str, int]] = {n: {} for n in _FAMILIES}
            for target, weight in targets.items():
                own[version_of(target)][target] = weight
            for n, slots in self._slots[port].items():
                change = slots.change(own[n])
                write_slots(batch, _key(port), n, change, sizes=f"ports{n}")
                while self._largest < change.size:
                    self._largest *= 2
        return batch.text() if largest == self._largest else self._anew()

    def removal(self) -> str:
        """Return what takes the table away, whether it is there or not."""
        self._slots = {}
        return removal(self._table)

    def targets(self, port: Port) -> set[str]:
        """Return the targets of a published port, of both families."""
        return {each for slots in self._slots.get(port, {}).values() for each in slots.targets}

    @property
    def table(self) -> str:
        """The table's name."""
        return self._table

    @property
    def ports(self) -> set[Port]:
        """The ports that are known."""
        return set(self._slots)

    def _anew(self) -> str:
        """Return what replaces the table by one with the slots as they are."""
        maps = "".join(_MAPS.format(n=n, proto=proto) for n, proto in _FAMILIES.items())
        sizes = range(1, self._largest + 1)
        chains = "".join(
            _OF.format(n=n, size=size, proto=proto, chain=chain_of(n, size))
            for n, proto in _FAMILIES.items()
            for size in sizes
        )
        batch = Batch(self._table)
        for port, by_family in self._slots.items():
            batch.add("known", _key(port))
            for n, slots in by_family.items():
                written = dict(enumerate(slots.targets))
                change = SlotChange(size_before=0, size=len(written), written=written)
                write_slots(batch, _key(port), n, change, sizes=f"ports{n}")
        content = f"{maps}{chains}{_PUBLISHED}{self._chains}"
        return replacement(self._table, content, batch.text())


def _key(port: Port) -> str:
    return f"{port[0]} . {port[1]}"
