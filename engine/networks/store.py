"""Networks and sandboxes in memory, written through to the records."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

import msgspec

from api.addresses import Subnet
from api.errors import AmbiguousPrefix, NoSuchNetwork
from engine.core.dns import Directory, View
from engine.networks.names import entries_of, view_of
from engine.networks.record import NetworkRecord, SandboxRecord
from engine.ports.records import Change, Records

_NOTHING = View(networks=(), may_ask_outside=False)


class NetworkStore:
    """Networks by id and name, their subnets' free addresses, and sandboxes by container.

    Used from the event loop only; what changes memory alone is not awaited.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._networks: dict[str, NetworkRecord] = {}
        self._ids: dict[str, str] = {}
        self._subnets: dict[str, list[Subnet]] = {}
        self._sandboxes: dict[str, SandboxRecord] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._freed = asyncio.Condition()
        self._closing = 0
        self._last_ephemeral = 0
        self.change = asyncio.Lock()
        self.directory = Directory()
        self._views: dict[str, View] = {}

    async def load(self) -> list[SandboxRecord]:
        """Read all networks; return the sandboxes on record, which nobody holds yet."""
        for document in (await self._records.load("network")).values():
            self._keep(msgspec.json.decode(document, type=NetworkRecord))
        sandboxes = (await self._records.load("endpoint")).values()
        return [msgspec.json.decode(document, type=SandboxRecord) for document in sandboxes]

    def all(self) -> list[NetworkRecord]:
        """Return every network, oldest first."""
        return list(self._networks.values())

    def find(self, ref: str) -> NetworkRecord | None:
        """Return a network by id or name, None if there is none."""
        return self._networks.get(self._ids.get(ref, ref))

    def get(self, ref: str) -> NetworkRecord:
        """Return a network by id, name or unique id prefix.

        Errors:  NoSuchNetwork, AmbiguousPrefix.
        """
        record = self.find(ref)
        if record is not None:
            return record
        matches = [key for key in self._networks if ref and key.startswith(ref)]
        if len(matches) > 1:
            raise AmbiguousPrefix(ref)
        if not matches:
            raise NoSuchNetwork(ref)
        return self._networks[matches[0]]

    async def put(self, record: NetworkRecord) -> None:
        """Write a network."""
        await self._records.apply([Change("network", record.id, msgspec.json.encode(record))])
        self._keep(record)

    async def drop(self, record: NetworkRecord) -> None:
        """Forget a network; fine if unknown."""
        self._networks.pop(record.id, None)
        self._subnets.pop(record.id, None)
        if self._ids.get(record.name) == record.id:
            del self._ids[record.name]
            for other in self._networks.values():
                if other.name == record.name:
                    self._ids[record.name] = other.id
        await self._records.apply([Change("network", record.id, None)])

    def subnets(self, network_id: str) -> list[Subnet]:
        """Return a network's subnets with what is free in them, IPv4 first."""
        return self._subnets.get(network_id, [])

    def sandbox(self, container_id: str) -> SandboxRecord | None:
        """Return the sandbox of a container, None if it has none."""
        return self._sandboxes.get(container_id)

    def sandboxes_on(self, network_id: str) -> list[SandboxRecord]:
        """Return the sandboxes with an endpoint on a network."""
        return [
            box
            for box in self._sandboxes.values()
            if any(each.network_id == network_id for each in box.endpoints)
        ]

    def all_sandboxes(self) -> list[SandboxRecord]:
        """Return every sandbox."""
        return list(self._sandboxes.values())

    def hold(self, record: SandboxRecord) -> None:
        """Put a sandbox into memory."""
        container_id = record.container_id
        self._sandboxes[container_id] = record
        self.directory.put(container_id, entries_of(record))
        self._views[container_id] = view_of(record, self._networks)

    async def swap(self, before: SandboxRecord, after: SandboxRecord) -> None:
        """Put a sandbox's new shape in place of the old, on record too; else the old stays."""
        self.hold(after)
        try:
            await self.save(after)
        except BaseException:
            self.hold(before)
            raise

    def view(self, container_id: str) -> View:
        """Return what a container may ask of names; nothing when it has no sandbox."""
        return self._views.get(container_id, _NOTHING)

    async def save(self, record: SandboxRecord) -> None:
        """Write a sandbox that is in memory."""
        document = msgspec.json.encode(record)
        await self._records.apply([Change("endpoint", record.container_id, document)])

    def let_go(self, container_id: str) -> None:
        """Take a sandbox out of memory; fine if it is not there."""
        self._sandboxes.pop(container_id, None)
        self.directory.drop(container_id)
        self._views.pop(container_id, None)

    async def forget(self, container_id: str) -> None:
        """Delete a sandbox's record; fine if there is none."""
        await self._records.apply([Change("endpoint", container_id, None)])

    def next_ephemeral(self, limits: tuple[int, int]) -> int:
        """Return where to begin the search for a port nobody asked for by number."""
        low, high = limits
        last = self._last_ephemeral
        self._last_ephemeral = last + 1 if low <= last < high else low
        return self._last_ephemeral

    def lock(self, container_id: str) -> asyncio.Lock:
        """Return what serialises the changes of one container's sandbox."""
        return self._locks.setdefault(container_id, asyncio.Lock())

    def begin_close(self) -> None:
        """Note that addresses will come free."""
        self._closing += 1

    async def end_close(self) -> None:
        """Note that they came free, or never will."""
        self._closing -= 1
        async with self._freed:
            self._freed.notify_all()

    async def next_freed(self) -> bool:
        """Return True once some sandbox has closed; False at once when none is closing."""
        if not self._closing:
            return False
        async with self._freed:
            await self._freed.wait()
        return True

    def _keep(self, record: NetworkRecord) -> None:
        self._networks[record.id] = record
        if not self._is_name_of_this_machine(record):
            self._ids[record.name] = record.id
        if record.id not in self._subnets or record.subnets:
            self._subnets[record.id] = [
                Subnet(
                    each.subnet,
                    each.ip_range,
                    [address for address in (each.gateway, *each.auxiliary.values()) if address],
                )
                for each in record.subnets
            ]

    def _is_name_of_this_machine(self, record: NetworkRecord) -> bool:
        """Tell whether the name is that of another network, which no network of a cluster takes.

        Of the cluster's own the newest has it: the one before is being removed.
        """
        owner = self._networks.get(self._ids.get(record.name, ""))
        is_other = owner is not None and owner.id != record.id and owner.name == record.name
        return is_other and owner is not None and owner.overlay is None
