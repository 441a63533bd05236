"""Volumes in memory, written through to the records, with who uses and who mounts them."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

import msgspec

from api.errors import NoSuchVolume
from engine.ports.records import Change, Records
from engine.volumes.record import VolumeRecord


class VolumeStore:
    """Volumes by name. Uses are not persisted: containers tell them again after a restart.

    `holders` are the containers, running or not, that have the volume; `mounters` those that
    run with it.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._volumes: dict[str, VolumeRecord] = {}
        self._holders: dict[str, dict[str, None]] = {}
        self._mounters: dict[str, dict[str, None]] = {}
        # A lock lives as long as somebody has it or waits for it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def load(self) -> None:
        """Read all volumes from the records."""
        documents = await self._records.load("volume")
        self._volumes = {
            key: msgspec.json.decode(document, type=VolumeRecord)
            for key, document in sorted(documents.items())
        }

    def all(self) -> list[VolumeRecord]:
        """Return every volume, by name."""
        return sorted(
            (each for each in self._volumes.values() if not each.removing), key=lambda v: v.name
        )

    def removals(self) -> list[VolumeRecord]:
        """Return the volumes whose removal began and did not end."""
        return [each for each in self._volumes.values() if each.removing]

    def find(self, name: str) -> VolumeRecord | None:
        """Return a volume, None if there is none."""
        record = self._volumes.get(name)
        return None if record is None or record.removing else record

    def get(self, name: str) -> VolumeRecord:
        """Return a volume. Errors: NoSuchVolume."""
        record = self.find(name)
        if record is None:
            raise NoSuchVolume(name)
        return record

    async def put(self, record: VolumeRecord) -> None:
        """Write a volume; in memory first, so that nobody takes hold of one that is leaving."""
        before = self._volumes.get(record.name)
        self._volumes[record.name] = record
        try:
            await self._records.apply([Change("volume", record.name, msgspec.json.encode(record))])
        except BaseException:
            if before is None:
                del self._volumes[record.name]
            else:
                self._volumes[record.name] = before
            raise

    async def drop(self, name: str) -> None:
        """Forget a volume; fine if unknown."""
        await self._records.apply([Change("volume", name, None)])
        self._volumes.pop(name, None)

    def lock(self, name: str) -> asyncio.Lock:
        """Return what serialises the verbs on one volume's directory."""
        return self._locks.setdefault(name, asyncio.Lock())

    def hold(self, name: str, container_id: str) -> None:
        """Note that a container has the volume."""
        self._holders.setdefault(name, {})[container_id] = None

    def let_go(self, name: str, container_id: str) -> None:
        """Note that a container has it no more; fine if it had not."""
        _discard(self._holders, name, container_id)

    def holders(self, name: str) -> list[str]:
        """Return the ids of the containers that have the volume, first come first."""
        return list(self._holders.get(name, ()))

    def begin_mount(self, name: str, container_id: str) -> None:
        """Note that a container runs with the volume."""
        self._mounters.setdefault(name, {})[container_id] = None

    def end_mount(self, name: str, container_id: str) -> bool:
        """Note that it runs no more; tell whether it was noted as running."""
        return _discard(self._mounters, name, container_id)

    def mounters(self, name: str) -> list[str]:
        """Return the ids of the containers that run with the volume."""
        return list(self._mounters.get(name, ()))


def _discard(uses: dict[str, dict[str, None]], name: str, container_id: str) -> bool:
    holders = uses.get(name)
    if holders is None or container_id not in holders:
        return False
    del holders[container_id]
    if not holders:
        del uses[name]
    return True
