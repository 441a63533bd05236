"""XFRM messages: as long as the kernel's structures, and read back as they were meant."""

from __future__ import annotations

from typing import cast

from engine.adapters import netlink_xfrm
from engine.adapters.netlink import NetlinkSocket
from engine.adapters.netlink_attributes import attribute
from engine.core.esp import MARK, REQUEST_ID, Path, StateKey

SECRET = bytes(range(36))
IPV4: StateKey = ("198.51.100.1", "198.51.100.2", 0x01020304)
IPV6: StateKey = ("2001:db8::1", "2001:db8::2", 0xFFFFFFFF)


class Kernel:
    """Dumps what it was given: the kernel shows objects in the form in which they are made."""

    def __init__(self, *bodies: bytes) -> None:
        self._bodies = [*bodies]

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """Return all."""
        del kind, body
        return self._bodies


def kernel(*bodies: bytes) -> NetlinkSocket:
    """Return a connection to such a kernel."""
    return cast("NetlinkSocket", Kernel(*bodies))


def test_a_state_is_read_as_it_was_made() -> None:
    """With its key, over both families."""
    bodies = [netlink_xfrm.add_state(key, SECRET).body for key in (IPV4, IPV6)]

    assert dict(netlink_xfrm.states(kernel(*bodies))) == {IPV4: SECRET, IPV6: SECRET}


def test_a_state_has_the_layout_of_the_kernel() -> None:
    """linux/xfrm.h: xfrm_usersa_info of 224 bytes, then xfrm_algo_aead."""
    body = netlink_xfrm.add_state(IPV4, SECRET).body

    assert body[56:60] == bytes([198, 51, 100, 2])
    assert body[72:77] == b"\x01\x02\x03\x04\x32"
    assert body[80:84] == bytes([198, 51, 100, 1])
    assert int.from_bytes(body[208:212], "little") == REQUEST_ID
    assert body[224:228] == (4 + 72 + 36).to_bytes(2, "little") + b"\x12\x00"
    assert body[228:].startswith(b"rfc4106(gcm(aes))\0")
    assert body[292:300] == (36 * 8).to_bytes(4, "little") + (128).to_bytes(4, "little")


def test_what_was_sent_is_the_most_of_our_states() -> None:
    """By the kernel's counter of each."""
    bodies = [
        netlink_xfrm.add_state(key, SECRET).body
        + attribute(10, sent.to_bytes(4, "little") + bytes(8))
        for key, sent in ((IPV4, 7), (IPV6, 1 << 31))
    ]

    assert netlink_xfrm.most_sent(kernel(*bodies)) == 1 << 31
    assert netlink_xfrm.most_sent(kernel()) == 0


def test_a_policy_is_read_as_it_was_made() -> None:
    """With its path, and the state that it asks for."""
    path: Path = ("198.51.100.1", "198.51.100.2", 4789)
    body = netlink_xfrm.set_policy(path, 0x01020304).body

    assert dict(netlink_xfrm.policies(kernel(body))) == {path: 0x01020304}
    assert body[168:172] == (4 + 64).to_bytes(2, "little") + b"\x05\x00"
    assert body.endswith(b"\x0c\x00\x15\x00" + MARK.to_bytes(4, "little") * 2)
    assert netlink_xfrm.delete_policy(path).body[:56] == body[:56]


def test_states_and_policies_of_others_are_not_ours() -> None:
    """A VPN on the host keeps its own."""
    state = bytearray(netlink_xfrm.add_state(IPV4, SECRET).body)
    policy = bytearray(netlink_xfrm.set_policy(("198.51.100.1", "198.51.100.2", 4789), 300).body)
    state[208] ^= 1
    policy[168 + 4 + 44] ^= 1

    assert list(netlink_xfrm.states(kernel(bytes(state)))) == []
    assert list(netlink_xfrm.policies(kernel(bytes(policy)))) == []
