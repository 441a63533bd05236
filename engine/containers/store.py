"""Containers in memory, by id and by name, written through to the records."""

from __future__ import annotations

import msgspec

from api.errors import AmbiguousPrefix, Conflict, NoSuchContainer
from engine.containers.record import ContainerRecord
from engine.core.container_state import Status
from engine.ports.records import Change, Records


class NameInUse(Conflict):
    """Names are unique."""

    def __init__(self, name: str, holder: str) -> None:
        super().__init__(
            f'Conflict. The container name "/{name}" is already in use by container "{holder}". '
            "You have to remove (or rename) that container to be able to reuse that name."
        )


class ContainerStore:
    """Every container of this engine; reads never touch the disk.

    `changes` counts: what was made from the containers holds while it stays the same.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._by_id: dict[str, ContainerRecord] = {}
        self._names: dict[str, str] = {}
        self.changes = 0

    async def load(self) -> None:
        """Read all containers from the records."""
        self.changes += 1
        documents = (await self._records.load("container")).values()
        records = [msgspec.json.decode(each, type=ContainerRecord) for each in documents]
        # Newest last: an older one of the same name was being removed when the daemon ended.
        for record in sorted(records, key=lambda each: each.created_ns):
            self._by_id[record.id] = record
            # One that is being removed has given its name up already.
            if record.state.status is not Status.REMOVING:
                self._names[record.name] = record.id

    def all(self) -> list[ContainerRecord]:
        """Return every container, in no order."""
        return list(self._by_id.values())

    def find(self, container_id: str) -> ContainerRecord | None:
        """Return a container by its full id, None if there is none."""
        return self._by_id.get(container_id)

    def get(self, container_id: str) -> ContainerRecord:
        """Return a container by its full id. Errors: NoSuchContainer."""
        record = self._by_id.get(container_id)
        if record is None:
            raise NoSuchContainer(container_id)
        return record

    def resolve(self, ref: str) -> ContainerRecord:
        """Return the container of an id, a name or a unique id prefix, tried in this order.

        Errors:  NoSuchContainer, AmbiguousPrefix.
        """
        record = self._by_id.get(ref)
        if record is not None:
            return record
        named = self._by_id.get(self._names.get(ref.removeprefix("/"), ""))
        if named is not None:
            return named
        if not ref:
            raise NoSuchContainer(ref)
        fits = [each for each in self._by_id if each.startswith(ref)]
        if not fits:
            raise NoSuchContainer(ref)
        if len(fits) > 1:
            raise AmbiguousPrefix(ref)
        return self._by_id[fits[0]]

    def reserve_name(self, name: str, container_id: str) -> None:
        """Take a name, at once. Errors: NameInUse."""
        holder = self._names.get(name)
        if holder is not None and holder != container_id:
            raise NameInUse(name, holder)
        self._names[name] = container_id

    def release_name(self, name: str, container_id: str) -> None:
        """Give a name up; fine if another has it."""
        if self._names.get(name) == container_id:
            del self._names[name]

    def set(self, record: ContainerRecord) -> None:
        """Change what readers see; `save` makes it durable."""
        self.changes += 1
        self._by_id[record.id] = record

    async def save(self, container_id: str) -> None:
        """Write what readers see of a container; fine if it is gone meanwhile."""
        record = self._by_id.get(container_id)
        if record is not None:
            await self.write(record)

    async def write(self, record: ContainerRecord) -> None:
        """Write a record that readers do not see yet."""
        document = msgspec.json.encode(record)
        await self._records.apply([Change("container", record.id, document)])

    async def put(self, record: ContainerRecord) -> None:
        """Change what readers see, and write it."""
        self.set(record)
        await self.save(record.id)

    def hide(self, container_id: str) -> None:
        """Take a container from the readers and give its name up; `drop` makes it durable."""
        self.changes += 1
        record = self._by_id.pop(container_id, None)
        if record is not None:
            self.release_name(record.name, container_id)

    async def drop(self, container_id: str) -> None:
        """Forget a container; fine if unknown."""
        self.hide(container_id)
        await self._records.apply([Change("container", container_id, None)])
