"""Who may send into this node's tunnels: a table of nftables at the host's door.

VXLAN has no authentication: whoever knows a tunnel's id could send frames into the network. So what
comes for one of our tunnels must come from a node that has somebody on the network.

Connection tracking passes tunnels by: each connection in them would be two flows of datagrams in
the host, for its port tells connections apart, and a host of many would run out of room for them.

Shape of the table:

    tunnels    UDP port . VXLAN id             of this node's tunnels; what is for others' passes by
    senders4   UDP port . VXLAN id . address   who may send into them; senders6 over IPv6
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from api.addresses import version_of
from engine.core.nft_batch import Batch, removal, replacement

# The id is 24 bits long, behind the header of UDP and the first word of VXLAN's (RFC 7348).
_VNI = "@th,96,24"
_CONTENT = f"""
set tunnels {{ typeof udp dport . {_VNI}; }}
set senders4 {{ typeof udp dport . {_VNI} . ip saddr; }}
set senders6 {{ typeof udp dport . {_VNI} . ip6 saddr; }}
chain arriving {{
    type filter hook prerouting priority -300; policy accept;
    udp dport . {_VNI} @tunnels notrack
}}
chain leaving {{
    type filter hook output priority -300; policy accept;
    udp dport . {_VNI} @tunnels notrack
}}
chain input {{
    type filter hook input priority -10; policy accept;
    meta l4proto != udp accept
    udp dport . {_VNI} . ip saddr @senders4 accept
    udp dport . {_VNI} . ip6 saddr @senders6 accept
    udp dport . {_VNI} @tunnels counter drop
}}
"""

_Element = tuple[str, str]
"""A set and what is in it."""


class TunnelGuard:
    """The table; each method returns the transaction that makes it so, "" for none.

    What was returned counts as done: where it failed, begin again with `whole`.
    """

    def __init__(self, table: str) -> None:
        self.table = table
        self._guarded: dict[str, frozenset[_Element]] = {}
        self._counts: Counter[_Element] = Counter()

    def whole(self) -> str:
        """Return what replaces the whole table, whatever is there, by one of exactly this."""
        batch = Batch(self.table)
        for place, element in sorted(self._counts):
            batch.add(place, element)
        return replacement(self.table, _CONTENT, batch.text())

    def change(
        self, network_id: str, port: int, vnis: Iterable[int], nodes: Collection[str]
    ) -> str:
        """Return what lets these nodes, and no others, send into a network's tunnels."""
        tunnels = [f"{port} . {vni}" for vni in vnis]
        wanted = {("tunnels", each) for each in tunnels} | {
            (f"senders{version_of(node)}", f"{each} . {node}") for each in tunnels for node in nodes
        }
        return self._replace(network_id, frozenset(wanted))

    def release(self, network_id: str) -> str:
        """Return what forgets a network whose tunnels are gone; fine if it is not known."""
        return self._replace(network_id, frozenset())

    def removal(self) -> str:
        """Return what takes the table away, whether it is there or not."""
        return removal(self.table)

    @property
    def elements(self) -> set[str]:
        """What is in the sets, each behind its set's name."""
        return {f"{place} {element}" for place, element in self._counts}

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to guard."""
        return not self._guarded

    def _replace(self, network_id: str, wanted: frozenset[_Element]) -> str:
        """Take in what a network has; an id may be that of two while one of them goes."""
        before = self._guarded.pop(network_id, frozenset())
        if wanted:
            self._guarded[network_id] = wanted
        batch = Batch(self.table)
        for each in sorted(wanted - before):
            self._counts[each] += 1
            if self._counts[each] == 1:
                batch.add(*each)
        for each in sorted(before - wanted):
            self._counts[each] -= 1
            if not self._counts[each]:
                del self._counts[each]
                batch.delete(*each)
        return batch.text()
