"""Whatever is done in whatever order: the store agrees with a dictionary, and managers agree."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from api.errors import SkepError
from api.types.tasks import TaskState
from manager.core.store.apply import apply
from manager.core.store.codec import Reader
from manager.core.store.command import decode_command
from manager.core.store.dump import dump, load
from manager.core.store.entry import EntryBuilder, EntryLimits
from manager.core.store.query import View
from manager.core.store.state import empty_state
from manager.core.store.transaction import Transaction
from tests.unit.manager.core.store.builders import NOW_NS, service, task

IDS = st.sampled_from(["aa1", "aa2", "ab1", "b1", "c1"])
NAMES = st.sampled_from(["web", "WEB", "db", "cache"])
STATES = st.sampled_from([TaskState.NEW, TaskState.RUNNING, TaskState.SHUTDOWN])


class Broken(Exception):
    """A change that fails after it wrote."""


class StoreModel(RuleBasedStateMachine):
    """Services and tasks in a dictionary, beside an entry in the making and two replicas."""

    def __init__(self) -> None:
        super().__init__()
        self.state = self.other = empty_state()
        self.reader, self.other_reader = Reader(), Reader()
        self.index = 0
        self.pending: dict[tuple[str, str], Any] = {}
        self.begin()

    def begin(self) -> None:
        self.model = dict(self.pending)
        self.builder = EntryBuilder(self.state, NOW_NS + self.index, EntryLimits(), Reader())

    @rule(object_id=IDS, name=NAMES)
    def create_service(self, object_id: str, name: str) -> None:
        taken = any(
            kind == "service" and item.spec.Name.lower() == name.lower()
            for (kind, _), item in self.pending.items()
        )
        if ("service", object_id) in self.pending:
            return
        item = service(object_id, name)
        try:
            self.builder.run(lambda tx: tx.services.create(item))
        except SkepError:
            assert taken
        else:
            assert not taken
            self.pending["service", object_id] = item

    @rule(object_id=IDS, service_id=IDS, slot=st.integers(1, 3))
    def create_task(self, object_id: str, service_id: str, slot: int) -> None:
        if ("task", object_id) not in self.pending:
            item = task(object_id, service(service_id, "any"), slot)
            self.builder.run(lambda tx: tx.tasks.create(item))
            self.pending["task", object_id] = item

    @rule(object_id=IDS, state=STATES, node_id=st.sampled_from(["", "n1", "n2"]))
    def update_task(self, object_id: str, state: TaskState, node_id: str) -> None:
        def change(tx: Transaction) -> None:
            found = tx.tasks.need(object_id)
            tx.tasks.update(replace(found, desired_state=state, node_id=node_id))

        if (old := self.pending.get(("task", object_id))) is not None:
            self.builder.run(change)
            self.pending["task", object_id] = replace(old, desired_state=state, node_id=node_id)

    @rule(object_id=IDS, service_id=IDS, slot=st.integers(0, 3))
    def adopt_task(self, object_id: str, service_id: str, slot: int) -> None:
        def change(tx: Transaction) -> None:
            tx.tasks.update(replace(tx.tasks.need(object_id), service_id=service_id, slot=slot))

        if (old := self.pending.get(("task", object_id))) is not None:
            self.builder.run(change)
            self.pending["task", object_id] = replace(old, service_id=service_id, slot=slot)

    @rule(object_id=IDS, kind=st.sampled_from(["service", "task"]))
    def remove(self, object_id: str, kind: str) -> None:
        def change(tx: Transaction) -> None:
            if kind == "service":
                tx.services.remove(object_id)
            else:
                tx.tasks.remove(object_id)

        existed = self.pending.pop((kind, object_id), None) is not None
        try:
            self.builder.run(change)
        except SkepError:
            assert not existed
        else:
            assert existed

    @rule(ids=st.lists(IDS, min_size=1, max_size=4))
    def fail_half_way(self, ids: list[str]) -> None:
        def change(tx: Transaction) -> None:
            for object_id in ids:
                if object_id in tx.tasks:
                    tx.tasks.remove(object_id)
                else:
                    tx.tasks.create(task(object_id, service("b1", "any"), 2))
            raise Broken

        try:
            self.builder.run(change)
        except Broken:
            return
        raise AssertionError

    @rule()
    def commit(self) -> None:
        data = self.builder.encode()
        self.index += 1
        adopted = self.builder.adopt(self.state, self.index, data)
        applied = apply(self.state, decode_command(data), self.index, self.reader)
        assert adopted == applied
        self.state = applied.state if adopted is None else adopted.state
        self.other = apply(self.other, decode_command(data), self.index, self.other_reader).state
        self.begin()

    @rule()
    def drop(self) -> None:
        self.pending = dict(self.model)
        self.begin()

    @rule()
    def restore_the_other(self) -> None:
        self.other_reader = Reader()
        self.other = load(list(dump(self.other)), self.other_reader)

    @invariant()
    def committed_objects_are_those_of_the_model(self) -> None:
        view = View(self.state)
        for kind, rows in (("service", view.services), ("task", view.tasks)):
            expected = {i: item for (k, i), item in self.model.items() if k == kind}
            assert expected == {
                item.id: replace(item, meta=expected[item.id].meta) for item in rows
            }

    @invariant()
    def indexes_find_what_a_scan_finds(self) -> None:
        for table in self.state.tables.values():
            for name, index in table.table.indexes.items():
                found = {key: set(table.ids(name, key)) for key in table.indexes[name]}
                expected: dict[str, set[str]] = {}
                for item in table.all():
                    for key in index.keys(item):
                        expected.setdefault(key, set()).add(item.id)
                assert expected == found

    @invariant()
    def managers_have_the_same_bytes(self) -> None:
        assert list(dump(self.state)) == list(dump(self.other))


StoreModel.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestStoreModel = StoreModel.TestCase
