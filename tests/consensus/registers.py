"""A state machine for tests: named registers that can be written, and compared and swapped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

_PIECE = 1000


class Command(msgspec.Struct, frozen=True, array_like=True):
    """Set a register; if `expected` is given, only where that is its value. 0 means never set."""

    key: str
    value: int
    expected: int | None = None
    ballast: bytes = b""


_decoder = msgspec.msgpack.Decoder(Command)
_pieces = msgspec.msgpack.Decoder(dict[str, int])


class Registers:
    """Fulfils `StateMachine`."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.index = 0
        self._outcomes: dict[int, bool] = {}

    def apply(self, index: int, data: bytes) -> None:
        command = _decoder.decode(data)
        assert index > self.index
        self.index = index
        is_done = command.expected in {None, self.values.get(command.key, 0)}
        if is_done:
            self.values[command.key] = command.value
        self._outcomes[index] = is_done
        self._outcomes.pop(index - 10_000, None)

    def outcome(self, index: int) -> bool:
        """Tell whether the command of an index, applied lately, changed its register."""
        return self._outcomes[index]

    def dump(self) -> Iterator[bytes]:
        return _encoded(dict(self.values))

    def load(self, pieces: Iterable[bytes]) -> Callable[[int], None]:
        values: dict[str, int] = {}
        for piece in pieces:
            values.update(_pieces.decode(piece))

        def become(index: int) -> None:
            self.values, self.index = values, index

        return become


def _encoded(values: dict[str, int]) -> Iterator[bytes]:
    keys = list(values)
    for start in range(0, max(len(keys), 1), _PIECE):
        chosen = keys[start : start + _PIECE]
        yield msgspec.msgpack.encode({key: values[key] for key in chosen})
