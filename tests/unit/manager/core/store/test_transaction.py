"""A transaction reads what it wrote, refuses what does not fit, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from api.cluster_errors import NoSuchService, ServiceExists, StaleVersion
from manager.core.store.codec import Reader
from manager.core.store.command import decode_command
from manager.core.store.draft import Draft
from manager.core.store.entry import EntryBuilder, EntryLimits, NoRoom
from manager.core.store.errors import ChangeTooLarge, UnreadableState
from manager.core.store.query import View
from manager.core.store.state import FEW_IDS, empty_state
from manager.core.store.transaction import Transaction
from tests.unit.manager.core.store.builders import NOW_NS, after, applied, service, task

WEB = service("s1", "web", ("secret1",))


def _transaction(*existing: str) -> Transaction:
    state = after(*(lambda tx, i=i: tx.services.create(service(i, i)) for i in existing))
    return Transaction(Draft(state), NOW_NS)


def test_writes_are_read_back_by_id_and_by_every_index() -> None:
    tx = Transaction(Draft(empty_state()), NOW_NS)
    tx.services.create(WEB)

    tx.tasks.create(task("t1", WEB, slot=3, node_id="n1"))

    assert ["s1"] == [s.id for s in tx.services.by(name="WEB")]
    assert ["s1"] == [s.id for s in tx.services.by(secret="secret1")]
    for keys in ({"service": "s1"}, {"node": "n1"}, {"slot": "s1.3"}):
        assert ["t1"] == [t.id for t in tx.tasks.by(**keys)]
    assert [] == tx.tasks.by(service="s1", node="n2")


def test_a_name_is_taken_whatever_its_case() -> None:
    tx = _transaction("Web")

    with pytest.raises(ServiceExists, match="service web already exists"):
        tx.services.create(service("other", "web"))


def test_a_name_is_free_again_after_removal() -> None:
    tx = _transaction("web")

    tx.services.remove("web")
    tx.services.create(service("other", "WEB"))

    assert ["other"] == [s.id for s in tx.services.by(name="web")]


def test_an_update_of_what_changed_since_is_out_of_sequence() -> None:
    tx = _transaction("web")
    old = tx.services.need("web")
    tx.services.update(replace(old, is_removed=True))

    with pytest.raises(StaleVersion, match="update out of sequence"):
        tx.services.update(replace(old, spec_version=7))


def test_users_name_the_version_that_they_saw() -> None:
    tx = _transaction("web")
    old = tx.services.need("web")

    with pytest.raises(StaleVersion):
        tx.services.update(old, version=old.meta.version_index + 5)


def test_what_is_not_there_can_neither_be_updated_nor_removed() -> None:
    tx = _transaction()

    with pytest.raises(NoSuchService):
        tx.services.update(WEB)
    with pytest.raises(NoSuchService):
        tx.services.remove("s1")


def test_undo_puts_back_objects_and_indexes() -> None:
    tx = _transaction("a", "b")
    before = tx.services.need("a")

    tx.begin()
    tx.services.update(replace(before, spec=replace(before.spec, Name="c")))
    tx.services.remove("b")
    tx.services.create(service("d", "b"))
    tx.undo()

    assert before == tx.services.need("a")
    assert ["a"] == [s.id for s in tx.services.by(name="a")]
    assert ["b"] == [s.id for s in tx.services.by(name="b")]
    assert [] == tx.services.by(name="c")


def test_a_failed_change_leaves_nothing_in_the_entry() -> None:
    def fail(tx: Transaction) -> None:
        tx.services.create(WEB)
        tx.services.remove("nowhere")

    builder = EntryBuilder(empty_state(), NOW_NS, EntryLimits(), Reader())

    with pytest.raises(NoSuchService):
        builder.run(fail)

    assert builder.is_empty
    builder.run(lambda tx: tx.services.create(service("other", "web")))


def test_a_change_that_no_entry_can_hold_is_refused() -> None:
    builder = EntryBuilder(empty_state(), NOW_NS, EntryLimits(max_bytes=300), Reader())

    with pytest.raises(ChangeTooLarge, match="the limit for one change is 300"):
        builder.run(lambda tx: tx.services.create(service("s", "n" * 300)))

    assert builder.is_empty


def test_a_change_for_which_there_is_no_room_waits_for_the_next_entry() -> None:
    builder = EntryBuilder(empty_state(), NOW_NS, EntryLimits(max_bytes=600), Reader())
    builder.run(lambda tx: tx.services.create(service("a", "x" * 200)))

    with pytest.raises(NoRoom):
        builder.run(lambda tx: tx.services.create(service("b", "y" * 300)))

    builder.run(lambda tx: tx.services.create(service("c", "z")))
    assert len(builder.encode()) < 600


def test_a_value_that_cannot_be_read_back_is_the_error_of_its_change() -> None:
    """Committed, it would stop every manager, again and again."""
    builder = EntryBuilder(empty_state(), NOW_NS, EntryLimits(), Reader())

    with pytest.raises(UnreadableState, match=r"task.slot: Expected `int`, got `str`"):
        builder.run(lambda tx: tx.tasks.create(replace(task("t1", WEB), slot="one")))
    builder.run(lambda tx: tx.tasks.create(task("t1", WEB)))

    assert 1 == len(decode_command(builder.encode()).changes)


def test_an_entry_is_only_adopted_where_it_was_expected() -> None:
    state = empty_state()
    builder = EntryBuilder(state, NOW_NS, EntryLimits(), Reader())
    builder.run(lambda tx: tx.services.create(WEB))
    data = builder.encode()

    assert builder.adopt(state, 2, data) is None
    assert builder.adopt(empty_state(), 1, data) is None
    assert builder.adopt(state, 1, data + b" ") is None
    assert applied(state, data, 1) == builder.adopt(state, 1, data)


def test_an_object_that_is_made_anew_is_the_same_everywhere() -> None:
    state = after(lambda tx: tx.services.create(WEB))
    builder = EntryBuilder(state, NOW_NS + 9, EntryLimits(), Reader())

    def anew(tx: Transaction) -> None:
        tx.services.remove("s1")
        tx.services.create(service("s1", "other"))

    builder.run(anew)
    data = builder.encode()

    assert applied(state, data, 2) == builder.adopt(state, 2, data)


def test_a_view_does_not_change() -> None:
    state = after(lambda tx: tx.services.create(WEB))
    view = View(state)

    after(lambda tx: tx.services.remove("s1"), state=state, index=2)

    assert ["s1"] == [s.id for s in view.services]
    assert 1 == view.version == view.services.need("s1").meta.version_index


def test_a_set_of_ids_is_the_same_whatever_size_it_once_had() -> None:
    """Few ids are kept in another form than many; states that are alike must be equal."""
    ids = [f"t{number:03}" for number in range(FEW_IDS * 3)]

    def create(some: list[str]) -> Callable[[Transaction], None]:
        def change(tx: Transaction) -> None:
            for each in some:
                tx.tasks.create(task(each, WEB))

        return change

    def remove(tx: Transaction) -> None:
        for each in ids[FEW_IDS:]:
            tx.tasks.remove(each)

    grown = after(create(ids))
    assert ids == [each.id for each in View(grown).tasks.by(service="s1")]

    shrunk = after(remove, state=grown, index=2)

    few = after(create(ids[FEW_IDS - 1 :: -1]))
    assert shrunk.tables["task"].indexes == few.tables["task"].indexes
