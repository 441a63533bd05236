"""Virtual addresses of services, balanced where the connection begins: in the client's sandbox.

Shape of the table, for each family (here 4):

    services4    virtual address -> goto of<n>v4, where n is the number of its slots
    of<n>v4      dnat to the target of (virtual address, a random number below n)
    slots4       (virtual address, number) -> target's address
    virtual4     all virtual addresses: what none of the targets took is refused at once

So a service is elements of maps, never rules: a target comes and goes by one small transaction,
whatever the number of services and targets. Any protocol is balanced. Connection tracking keeps
what is established on its target, also on one that gets nothing new. What comes of a stream that
is tracked no more, since its target is gone, is refused: no other target knows of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from api.addresses import version_of
from engine.core.nft_batch import Batch, replacement
from engine.core.slots import SlotChange, Slots, chain_of, write_slots

TABLE = "skep-vip"

_FAMILY = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}
_PARTS = """
set virtual{n} {{ type {kind}; }}
map services{n} {{ type {kind} : verdict; }}
map slots{n} {{ typeof {proto} daddr . numgen random mod 2 : {proto} daddr; }}
"""
_CHAINS = """
chain output {
    type nat hook output priority -110; policy accept;
    tcp flags & (fin | syn | rst | ack) != syn return
    ip daddr vmap @services4
    ip6 daddr vmap @services6
}
chain refuse {
    type filter hook output priority 0; policy accept;
    meta l4proto tcp ip daddr @virtual4 reject with tcp reset
    meta l4proto tcp ip6 daddr @virtual6 reject with tcp reset
    ip daddr @virtual4 reject
    ip6 daddr @virtual6 reject
}
"""

Services = Mapping[str, Mapping[str, int]]
"""Targets and their weights, by virtual address."""
_NONE: Services = {}


class Balance:
    """The table of one sandbox; each method returns the transaction that makes it so, "" for none.

    What was returned counts as done: where it failed, begin again with `whole`.
    """

    def __init__(self) -> None:
        self._slots: dict[str, Slots] = {}
        self._sizes: set[tuple[int, int]] = set()

    def whole(self, services: Services) -> str:
        """Return what replaces the whole table, whatever is there, by one of exactly this."""
        self._slots, self._sizes = {}, set()
        parts = "".join(
            _PARTS.format(n=n, proto=proto, kind=kind) for n, (proto, kind) in _FAMILY.items()
        )
        return replacement(TABLE, parts + _CHAINS, self.change(services))

    def change(
        self, services: Services, gone: Iterable[str] = (), weights: Services = _NONE
    ) -> str:
        """Return what sets these services' targets, and forgets those whose address is gone.

        `weights` are of some targets of services that stay, 0 for those that go.
        """
        batch = Batch(TABLE)
        for address in gone:
            slots = self._slots.pop(address, None)
            if slots is not None:
                self._apply(batch, address, slots.change({}))
                batch.delete(f"virtual{version_of(address)}", address)
        for address, targets in services.items():
            if address not in self._slots:
                self._slots[address] = Slots()
                batch.add(f"virtual{version_of(address)}", address)
            self._apply(batch, address, self._slots[address].change(targets))
        for address, some in weights.items():
            if address in self._slots:
                self._apply(batch, address, self._slots[address].update(some))
        return batch.text()

    def targets(self, address: str) -> tuple[str, ...]:
        """Return the targets of a virtual address, each as often as it has slots."""
        slots = self._slots.get(address)
        return slots.targets if slots is not None else ()

    @property
    def addresses(self) -> set[str]:
        """The virtual addresses that are known."""
        return set(self._slots)

    def _apply(self, batch: Batch, address: str, change: SlotChange) -> None:
        n = version_of(address)
        self._ensure_chain(batch, n, change.size)
        write_slots(batch, address, n, change, sizes=f"services{n}")

    def _ensure_chain(self, batch: Batch, n: int, size: int) -> None:
        """Make the chain for services of so many slots, the first time it is needed.

        It stays: there are no more of them than sizes that a service ever had.
        """
        if not size or (n, size) in self._sizes:
            return
        self._sizes.add((n, size))
        proto, chain = _FAMILY[n][0], chain_of(n, size)
        lookup = f"{proto} daddr . numgen random mod {size} map @slots{n}"
        batch.chain(chain, f"dnat {proto} to {lookup}")
