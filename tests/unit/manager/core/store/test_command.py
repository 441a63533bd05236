"""Commands: small, the same everywhere, and refused when they cannot be understood."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from api.types.tasks import TaskState
from manager.core.store.apply import apply
from manager.core.store.codec import Reader
from manager.core.store.command import Action, decode_command
from manager.core.store.errors import NewerSchema, UnreadableState
from manager.core.store.migrate import SCHEMA, migrate_fields
from manager.core.store.state import empty_state
from manager.core.store.transaction import Transaction
from tests.unit.manager.core.store.builders import NOW_NS, after, applied, entry, service, task

WEB = service("s1", "web")


def test_objects_are_stamped_with_the_index_and_the_time_of_their_command() -> None:
    made = after(lambda tx: tx.services.create(WEB), index=7)

    changed = applied(
        made,
        entry(made, lambda tx: tx.services.update(tx.services.need("s1")), now_ns=NOW_NS + 5),
        9,
    ).state

    meta = changed.tables["service"].objects["s1"].meta
    assert (9, NOW_NS, NOW_NS + 5) == (meta.version_index, meta.created_ns, meta.updated_ns)


def test_an_update_carries_only_what_differs() -> None:
    state = after(lambda tx: tx.tasks.create(task("t1", WEB)))

    data = entry(
        state,
        lambda tx: tx.tasks.update(replace(tx.tasks.need("t1"), desired_state=TaskState.RUNNING)),
    )

    (change,) = decode_command(data).changes
    assert {"desired_state"} == set(change.own)
    assert not change.places
    assert len(data) < 100


def test_equal_specs_are_written_once_and_kept_once() -> None:
    def create(tx: Transaction) -> None:
        for number in range(50):
            tx.tasks.create(task(f"t{number}", service("s1", "web"), slot=number + 1))

    data = entry(empty_state(), create)

    tasks = applied(empty_state(), data, 1).state.tables["task"].objects
    assert 1 == data.count(b"busybox")
    assert 1 == len({id(found.spec) for found in tasks.values()})


def test_a_command_after_another_than_its_author_knew_is_void() -> None:
    """A leader that was deposed without knowing cannot undo what its successor did."""
    state = after(lambda tx: tx.services.create(WEB))
    late = entry(state, lambda tx: tx.services.remove("s1"))
    newer = after(lambda tx: tx.tasks.create(task("t1", WEB)), state=state, index=2)

    result = applied(newer, late, 3)

    assert result.is_void
    assert newer is result.state
    assert () == result.events


def test_several_changes_of_an_object_are_one_event() -> None:
    state = after(lambda tx: tx.services.create(WEB))
    data = entry(
        state,
        lambda tx: tx.services.update(replace(tx.services.need("s1"), spec_version=1)),
        lambda tx: tx.services.update(replace(tx.services.need("s1"), spec_version=2)),
        lambda tx: tx.tasks.create(task("t1", WEB)),
        lambda tx: tx.tasks.remove("t1"),
    )

    (event,) = applied(state, data, 2).events

    assert (Action.UPDATE, 0, 2) == (
        event.action,
        event.old.spec_version,
        event.object.spec_version,
    )


def test_a_newer_schema_is_refused_by_name() -> None:
    data = msgspec.msgpack.encode([SCHEMA + 1, {"anything": "else"}])

    with pytest.raises(NewerSchema, match="upgrade this manager"):
        decode_command(data)


@pytest.mark.parametrize("data", [b"", b"\xc1", msgspec.msgpack.encode([SCHEMA, "no command"])])
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableState):
        decode_command(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ([1, "plugin", "x", {}, {}], "unknown kind of objects 'plugin'"),
        ([1, "task", "x", {"colour": 1}, {}], "task has no field 'colour'"),
        ([1, "task", "x", {"slot": "one"}, {}], "task.slot: Expected `int`"),
        ([1, "task", "x", {}, {"spec": 4}], "no shared value 4"),
        ([2, "task", "x", {"slot": 1}, {}], "update of task x does not fit the state"),
        ([3, "task", "x", {}, {}], "remove of task x does not fit the state"),
    ],
)
def test_what_this_manager_does_not_know_is_refused(change: list[object], message: str) -> None:
    data = msgspec.msgpack.encode([SCHEMA, [1, NOW_NS, [], [change]]])

    with pytest.raises(UnreadableState, match=message):
        apply(empty_state(), decode_command(data), 1, Reader())


def test_older_fields_go_through_every_step_between() -> None:
    steps = {
        1: lambda _, fields: {"b": fields["a"]},
        3: lambda kind, fields: {**fields, "kind": kind},
    }

    migrated = migrate_fields(
        1, "task", {"a": msgspec.Raw(msgspec.msgpack.encode(5))}, steps=steps, target=4
    )

    assert {"b": 5, "kind": "task"} == {
        name: msgspec.msgpack.decode(raw) for name, raw in migrated.items()
    }
