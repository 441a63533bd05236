r"""The keys that leave a terminal without ending its process: parsed, and found in what is typed.

Source: Engine API, `detachKeys`: single characters, or `ctrl-` with one of a-z @ [ \ ] ^ _.
"""

from __future__ import annotations

from api.errors import InvalidArgument

DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q"

_CONTROL = {f"ctrl-{chr(code + 96)}": code for code in range(1, 27)} | {
    "ctrl-@": 0,
    "ctrl-[": 27,
    "ctrl-\\": 28,
    "ctrl-]": 29,
    "ctrl-^": 30,
    "ctrl-_": 31,
}


def parse_detach_keys(text: str) -> bytes:
    """Return the bytes of a sequence such as "ctrl-p,ctrl-q"; "" gives the default.

    Errors:  InvalidArgument naming the key that is none.
    """
    sequence = bytearray()
    for key in (text or DEFAULT_DETACH_KEYS).split(","):
        if len(key) == 1 and key.isascii():
            sequence.append(ord(key))
        elif key in _CONTROL:
            sequence.append(_CONTROL[key])
        else:
            raise InvalidArgument(f"Invalid detach keys ({text}) provided: unknown key {key!r}")
    return bytes(sequence)


class DetachFilter:
    """Watches one terminal's input for the sequence, whatever pieces it comes in.

    The beginning of a sequence is held back until it proves to be none, so that the process
    never sees the keys that detach.
    """

    def __init__(self, sequence: bytes) -> None:
        assert sequence
        self._sequence = sequence
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Return (what to pass on, whether the sequence was typed); what follows it is dropped."""
        data = self._held + data
        end = data.find(self._sequence)
        if end >= 0:
            self._held = b""
            return data[:end], True
        kept = self._beginning_at_end_of(data)
        self._held = data[len(data) - kept :]
        return data[: len(data) - kept], False

    def finish(self) -> bytes:
        """Return what was held back, for input that ended."""
        held, self._held = self._held, b""
        return held

    def _beginning_at_end_of(self, data: bytes) -> int:
        for length in range(min(len(self._sequence) - 1, len(data)), 0, -1):
            if data.endswith(self._sequence[:length]):
                return length
        return 0
