"""DNS messages."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.dns_message import (
    AAAA,
    PTR,
    A,
    address_of_pointer,
    is_answer_to,
    pack_answer,
    parse_query,
    with_id,
)

EDNS_4096 = b"\0" + struct.pack("!HHIH", 41, 4096, 0, 0)


def ask(name: str, kind: int = A, *, more: bytes = b"", flags: int = 0x0100) -> bytes:
    """Return a question as a client sends it."""
    labels = b"".join(bytes([len(each)]) + each.encode() for each in name.split(".") if each)
    head = struct.pack("!6H", 7, flags, 1, 0, 0, 1 if more else 0)
    return head + labels + b"\0" + struct.pack("!HH", kind, 1) + more


def counts(packet: bytes) -> tuple[int, int]:
    """Return (number of answers, whether they were cut)."""
    return struct.unpack_from("!H", packet, 6)[0], packet[2] >> 1 & 1


def test_a_question_is_read_in_lower_case() -> None:
    """Names have no case (RFC 1035 2.3.3)."""
    query = parse_query(ask("Web.MyNet"))

    assert query is not None
    assert (query.name, query.kind, query.is_standard) == ("web.mynet", A, True)


def test_the_answer_keeps_number_question_and_wish_for_recursion() -> None:
    """A client throws away what does not fit its question."""
    asked = ask("web", flags=0x0100)
    query = parse_query(asked)
    assert query is not None

    packet = pack_answer(query, ["10.0.0.2"], limit=512)

    assert is_answer_to(packet, asked)
    assert packet[2] & 1 == 1
    assert packet.endswith(struct.pack("!HHIH", A, 1, 600, 4) + bytes([10, 0, 0, 2]))


def test_an_answer_to_another_number_or_question_is_none() -> None:
    """Or a stranger could put words into a server's mouth."""
    asked = ask("web")
    query = parse_query(asked)
    assert query is not None
    packet = pack_answer(query, [], limit=512)

    assert not is_answer_to(with_id(packet, 8), asked)
    assert not is_answer_to(packet, ask("other"))
    assert not is_answer_to(asked, asked)
    assert not is_answer_to(b"\0\7", asked)


def test_answers_are_cut_to_what_the_asker_takes() -> None:
    """512 bytes by RFC 1035, more by EDNS0, all over TCP."""
    addresses = [f"10.0.0.{number}" for number in range(100)]
    plain, edns = parse_query(ask("web")), parse_query(ask("web", more=EDNS_4096))
    assert plain is not None
    assert edns is not None

    small = pack_answer(plain, addresses, limit=plain.limit)
    large = pack_answer(edns, addresses, limit=edns.limit)

    assert len(small) <= 512
    assert counts(small) == ((512 - 12 - 9) // 16, 1)
    assert counts(large) == (100, 0)
    assert large[-11:-8] == b"\0\0\x29"
    assert counts(pack_answer(plain, addresses, limit=65535)) == (100, 0)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("2.0.17.172.in-addr.arpa", "172.17.0.2"),
        ("1." + "0." * 30 + "f.ip6.arpa", "f000::1"),
        ("300.0.17.172.in-addr.arpa", ""),
        ("0.17.172.in-addr.arpa", ""),
        ("g." + "0." * 31 + "ip6.arpa", ""),
        ("example.org", ""),
    ],
)
def test_the_address_of_a_pointer(name: str, address: str) -> None:
    """RFC 1035 3.5 and RFC 3596 2.5; what is none is "" and no error."""
    assert address_of_pointer(name) == address


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\0" * 11,
        ask("web", flags=0x8100),
        struct.pack("!6H", 7, 0, 2, 0, 0, 0) + ask("web")[12:],
        struct.pack("!6H", 7, 0, 0, 0, 0, 0),
        struct.pack("!6H", 7, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1",
        ask("web")[:-1],
        struct.pack("!6H", 7, 0, 1, 0, 0, 0) + b"\x3fshort\0\0\1\0\1",
        struct.pack("!6H", 7, 0, 1, 0, 0, 0) + (b"\x01a" * 200) + b"\0\0\1\0\1",
    ],
)
def test_what_is_no_question_is_ignored(packet: bytes) -> None:
    """Too short, an answer, several questions, pointers that would loop, names without an end."""
    assert parse_query(packet) is None


@given(st.binary(max_size=600))
def test_garbage_never_raises(packet: bytes) -> None:
    """A container sends what it likes."""
    query = parse_query(packet)

    if query is not None:
        kind = query.kind
        records = {A: ["10.0.0.1"], AAAA: ["fd00::1"], PTR: ["web.net"]}.get(kind, [])
        assert is_answer_to(pack_answer(query, records, limit=512), packet)
