"""DNS messages: questions taken apart, answers put together.

Only what a resolver of containers' names needs: one question a message, answers of the types A,
AAAA and PTR. Whatever else is asked travels on as the bytes that it came in.
Source:  RFC 1035 section 4, RFC 6891 (EDNS0).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from msgspec import Struct

A, PTR, AAAA, OPT = 1, 12, 28, 41
INTERNET = 1
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME, NOT_IMPLEMENTED, REFUSED = 0, 2, 3, 4, 5
TTL_S = 600
LONGEST_TCP = 65535

_HEAD = struct.Struct("!6H")
_IS_ANSWER, _OPCODE, _TRUNCATED = 0x8000, 0x7800, 0x0200
_STATUS = 0x1000
_RECURSION_DESIRED, _RECURSION_AVAILABLE = 0x0100, 0x0080
_LONGEST_NAME, _LONGEST_UDP, _OUR_EDNS_SIZE = 255, 512, 1232
_NAME_OF_QUESTION = b"\xc0\x0c"  # a pointer to byte 12, where the question's name is
_OPTION = struct.Struct("!BHHIH")


class Query(Struct, frozen=True):
    """A question. `name` is in lower case and without the last dot; `question` its own bytes.

    `limit` is the longest answer that the asker takes over UDP; `has_edns` that it speaks EDNS0.
    """

    id: int
    flags: int
    name: str
    kind: int
    family: int
    question: bytes
    limit: int
    has_edns: bool

    @property
    def is_standard(self) -> bool:
        """Tell whether this is an ordinary question of the Internet's names."""
        return not self.flags & _OPCODE and self.family == INTERNET


def pack_status_question(number: int) -> bytes:
    """Return a question for a server's status, which a resolver answers itself: it refuses it."""
    return _HEAD.pack(number, _STATUS, 1, 0, 0, 0) + b"\0" + struct.pack("!HH", A, INTERNET)


def parse_query(packet: bytes) -> Query | None:
    """Return the question of a packet, None for what is no question or malformed."""
    if len(packet) < _HEAD.size:
        return None
    number, flags, questions, answers, authorities, additional = _HEAD.unpack_from(packet)
    if flags & _IS_ANSWER or questions != 1:
        return None
    parsed = _parse_name(packet)
    if parsed is None:
        return None
    name, end = parsed
    if len(packet) < end + 4:
        return None
    kind, family = struct.unpack_from("!HH", packet, end)
    size = 0
    if additional and not answers and not authorities:
        size = _edns_size(packet, end + 4)
    return Query(
        number, flags, name, kind, family, packet[12 : end + 4], max(size, _LONGEST_UDP), size > 0
    )


def pack_answer(
    query: Query, records: Sequence[str] = (), rcode: int = NO_ERROR, *, limit: int
) -> bytes:
    """Return the answer: addresses for A and AAAA, names for PTR; cut and marked at `limit`."""
    rows = [_record(query.kind, each) for each in records]
    option = _OPTION.pack(0, OPT, _OUR_EDNS_SIZE, 0, 0) if query.has_edns else b""
    room = limit - _HEAD.size - len(query.question) - len(option)
    fitting = len(rows)
    while fitting and sum(map(len, rows[:fitting])) > room:
        fitting -= 1
    flags = _IS_ANSWER | (query.flags & (_OPCODE | _RECURSION_DESIRED)) | _RECURSION_AVAILABLE
    if fitting < len(rows):
        flags |= _TRUNCATED
    head = _HEAD.pack(query.id, flags | rcode, 1, fitting, 0, len(option) > 0)
    return b"".join((head, query.question, *rows[:fitting], option))


def with_id(packet: bytes, number: int) -> bytes:
    """Return the message under another number."""
    return number.to_bytes(2) + packet[2:]


def is_answer_to(packet: bytes, asked: bytes) -> bool:
    """Tell whether a packet answers the question of another: number and question are the same.

    An answer that names no question counts, as servers send it with an error.
    """
    if len(packet) < _HEAD.size or packet[:2] != asked[:2]:
        return False
    _, flags, questions, _, _, _ = _HEAD.unpack_from(packet)
    if not flags & _IS_ANSWER:
        return False
    parsed = _parse_name(asked)
    assert parsed is not None, "what was asked has been parsed before"
    end = parsed[1] + 4
    return not questions or packet[12:end].lower() == asked[12:end].lower()


def rcode_of(packet: bytes) -> int:
    """Return the result code of an answer."""
    return packet[3] & 0x0F


def address_of_pointer(name: str) -> str:
    """Return the address that a PTR question asks of, "" when it asks of none."""
    labels = name.split(".")
    try:
        if name.endswith(".in-addr.arpa") and len(labels) == 6:
            return str(IPv4Address(".".join(reversed(labels[:4]))))
        if name.endswith(".ip6.arpa") and len(labels) == 34:
            return str(IPv6Address(int("".join(reversed(labels[:32])), 16)))
    except ValueError:
        pass
    return ""


def _parse_name(packet: bytes) -> tuple[str, int] | None:
    """Return the question's name and where it ends; None for a malformed one."""
    at = _HEAD.size
    labels: list[bytes] = []
    limit = min(len(packet), at + _LONGEST_NAME)
    while at < limit:
        length = packet[at]
        at += 1
        if not length:
            return b".".join(labels).decode("latin-1").lower(), at
        # The upper bits mark a pointer, and a question has nothing before it to point to.
        if length > 63 or at + length > limit:
            return None
        labels.append(packet[at : at + length])
        at += length
    return None


def _edns_size(packet: bytes, at: int) -> int:
    """Return the asker's UDP size when the first additional record is EDNS0's, else 0."""
    if len(packet) < at + _OPTION.size:
        return 0
    root, kind, size, _, _ = _OPTION.unpack_from(packet, at)
    return max(size, _LONGEST_UDP) if not root and kind == OPT else 0


def _record(kind: int, value: str) -> bytes:
    data = _pack_name(value) if kind == PTR else ip_address(value).packed
    return _NAME_OF_QUESTION + struct.pack("!HHIH", kind, INTERNET, TTL_S, len(data)) + data


def _pack_name(name: str) -> bytes:
    labels = [each.encode("latin-1", "replace")[:63] for each in name.split(".")]
    return b"".join(bytes([len(each)]) + each for each in labels) + b"\0"
