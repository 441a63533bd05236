"""Dumps: the whole state in small pieces, back again, and never half."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from manager.core.store.codec import Reader
from manager.core.store.dump import PIECE_BYTES, PIECE_OBJECTS, dump, load
from manager.core.store.errors import NewerSchema, UnreadableState
from manager.core.store.migrate import SCHEMA
from manager.core.store.state import State, empty_state
from manager.core.store.transaction import Transaction
from tests.unit.manager.core.store.builders import after, node, service, task
from tests.unit.manager.core.store.golden import FOLDER, golden_state


def _state() -> State:
    def create(tx: Transaction) -> None:
        web = tx.services.create(service("s1", "web", ("secret",)))
        for number in range(2 * PIECE_OBJECTS + 5):
            tx.tasks.create(task(f"t{number:04}", web, number + 1))
        tx.nodes.create(node("n1", "host"))

    return after(create, index=12)


def test_a_dump_gives_back_the_same_state() -> None:
    state = _state()

    loaded = load(dump(state), Reader())

    assert (12, 1) == (loaded.version, loaded.sequence)
    assert state == loaded


def test_chunks_may_be_cut_anywhere() -> None:
    state = _state()
    whole = b"".join(dump(state))

    loaded = load((whole[at : at + 999] for at in range(0, len(whole), 999)), Reader())

    assert state == loaded


def test_pieces_are_small_and_objects_still_share_their_specs() -> None:
    pieces = list(dump(_state()))

    loaded = load(pieces, Reader())

    assert max(len(piece) for piece in pieces) < PIECE_BYTES
    assert len(pieces) >= 6
    assert 1 == len({id(found.spec) for found in loaded.tables["task"].objects.values()})


def _cut(data: bytes) -> Iterator[bytes]:
    yield data[: len(data) // 2]
    yield data[: len(data) - 1]
    yield b""
    yield data + b"\0"
    yield data[4:]


def test_a_dump_that_is_not_whole_is_refused() -> None:
    pieces = list(dump(_state()))

    for wrong in (
        *_cut(b"".join(pieces)),
        b"".join(pieces[:-1]),
        b"".join(pieces[1:]),
        b"".join([*pieces[:2], *pieces[3:]]),
        b"".join([*pieces[:2], *pieces[1:]]),
        b"".join([*pieces, pieces[-1]]),
    ):
        with pytest.raises(UnreadableState):
            load([wrong], Reader())


def test_a_dump_of_a_newer_manager_is_refused_by_name() -> None:
    piece = msgspec.msgpack.encode([SCHEMA + 1, {"type": "head"}])

    with pytest.raises(NewerSchema, match=f"it has schema {SCHEMA + 1}"):
        load([len(piece).to_bytes(4, "big") + piece], Reader())


def test_an_empty_state_has_a_dump() -> None:
    assert empty_state() == load(dump(empty_state()), Reader())


@pytest.mark.parametrize("schema", range(1, SCHEMA + 1))
def test_dumps_of_all_schemas_so_far_are_read(schema: int) -> None:
    """A manager that was upgraded reads what the one before wrote."""
    data = (FOLDER / f"schema-{schema}.dump").read_bytes()

    loaded = load([data], Reader())

    assert all(table.size() for table in loaded.tables.values())
    assert golden_state() == loaded


def test_the_present_schema_is_written_as_the_golden_has_it() -> None:
    """Who changes how objects are written raises the schema, and says how older ones are read."""
    golden = (FOLDER / f"schema-{SCHEMA}.dump").read_bytes()

    assert golden == b"".join(dump(golden_state()))
