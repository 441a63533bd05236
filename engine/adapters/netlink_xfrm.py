"""The netlink messages of XFRM that encrypted overlay networks need: ESP states and policies.

Source:  linux/xfrm.h; RFC 4106 for keys; net/xfrm/xfrm_user.c for what a message must hold.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from ipaddress import ip_address

from engine.adapters.netlink import Message, NetlinkSocket
from engine.adapters.netlink_attributes import attribute, attributes
from engine.core.esp import MARK, REQUEST_ID, Path, StateKey

NETLINK_XFRM = 6

_NEW_STATE, _DELETE_STATE, _GET_STATE = 0x10, 0x11, 0x12
_DELETE_POLICY, _GET_POLICY, _UPDATE_POLICY, _UPDATE_STATE = 0x14, 0x15, 0x19, 0x1A

_REQUEST, _ACK, _EXCLUSIVE, _CREATE = 0x1, 0x4, 0x200, 0x400
_TEMPLATE, _REPLAY, _AEAD, _MARK = 5, 10, 18, 21
_TRANSPORT, _OUT, _ALLOW = 0, 1, 0
_ANY_ALGORITHM = 0xFFFFFFFF
_CIPHER = b"rfc4106(gcm(aes))"
_CHECK_BITS = 128

_ADDRESS_BYTES = 16
# Ports with masks, family, lengths of prefixes, protocol, interface, user.
_SELECTOR = struct.Struct(">HHHH")
_SELECTOR_TAIL = struct.Struct("=HBBBxxxiI")
_SELECTOR_BYTES = 2 * _ADDRESS_BYTES + _SELECTOR.size + _SELECTOR_TAIL.size
# No limits in bytes or packets (all ones), none in time (zero); then nothing counted yet.
_LIFETIME = b"\xff" * 32 + bytes(32)
_COUNTED = bytes(32)
_STATISTICS = bytes(12)
# Sequence number, request id, family, mode, replay window, flags, and padding.
_STATE_TAIL = struct.Struct("=IIHBBB7x")
_STATE_BYTES = 224
# Priority, index, direction, action, flags, share, and padding.
_POLICY_TAIL = struct.Struct("=IIBBBB4x")
_POLICY_BYTES = 168
_STATE_ID_OFFSET = _SELECTOR_BYTES
_STATE_SOURCE_OFFSET = _STATE_ID_OFFSET + 24
_STATE_TAIL_OFFSET = _STATE_BYTES - _STATE_TAIL.size
_POLICY_TAIL_OFFSET = _POLICY_BYTES - _POLICY_TAIL.size


def add_state(key: StateKey, secret: bytes) -> Message:
    """Create a state. It keeps no window against replays: a peer that starts anew counts anew."""
    return Message(_NEW_STATE, _REQUEST | _ACK | _CREATE | _EXCLUSIVE, _state(key, secret))


def replace_state(key: StateKey, secret: bytes) -> Message:
    """Create a state in place of one that only asks for its key."""
    return Message(_UPDATE_STATE, _REQUEST | _ACK, _state(key, secret))


def delete_state(key: StateKey) -> Message:
    """Delete a state."""
    _, target, spi = key
    tail = struct.pack("=HBx", _family(target), socket.IPPROTO_ESP)
    body = _packed(target) + struct.pack(">I", spi) + tail
    return Message(_DELETE_STATE, _REQUEST | _ACK, body)


def set_policy(path: Path, spi: int) -> Message:
    """Have marked packets of UDP on this path leave by the state, whatever was asked before."""
    source, target, _ = path
    body = (
        _selector(path)
        + _LIFETIME
        + _COUNTED
        + _POLICY_TAIL.pack(0, 0, _OUT, _ALLOW, 0, 0)
        + attribute(_TEMPLATE, _template(source, target, spi))
        + _mark()
    )
    return Message(_UPDATE_POLICY, _REQUEST | _ACK, body)


def delete_policy(path: Path) -> Message:
    """Delete a policy."""
    body = _selector(path) + struct.pack("=IBxxx", 0, _OUT) + _mark()
    return Message(_DELETE_POLICY, _REQUEST | _ACK, body)


def states(connection: NetlinkSocket) -> Iterator[tuple[StateKey, bytes]]:
    """Yield our states and their keys, b"" where they wait for one."""
    for payload in connection.dump(_GET_STATE, b""):
        _, request_id, family, *_ = _STATE_TAIL.unpack_from(payload, _STATE_TAIL_OFFSET)
        spi, protocol = struct.unpack_from(">IB", payload, _STATE_ID_OFFSET + _ADDRESS_BYTES)
        if request_id != REQUEST_ID or protocol != socket.IPPROTO_ESP:
            continue
        source = _address(payload, _STATE_SOURCE_OFFSET, family)
        target = _address(payload, _STATE_ID_OFFSET, family)
        parts = dict(attributes(payload[_STATE_BYTES:]))
        yield (source, target, spi), parts.get(_AEAD, b"")[72:]


def most_sent(connection: NetlinkSocket) -> int:
    """Return the largest number of packets that left by one of our states."""
    most = 0
    for payload in connection.dump(_GET_STATE, b""):
        request_id = _STATE_TAIL.unpack_from(payload, _STATE_TAIL_OFFSET)[1]
        replay = dict(attributes(payload[_STATE_BYTES:])).get(_REPLAY, b"")
        if request_id == REQUEST_ID and len(replay) >= 4:
            most = max(most, struct.unpack_from("=I", replay)[0])
    return most


def policies(connection: NetlinkSocket) -> Iterator[tuple[Path, int]]:
    """Yield our policies, and the index of the state that each asks for."""
    for payload in connection.dump(_GET_POLICY, b""):
        template = dict(attributes(payload[_POLICY_BYTES:])).get(_TEMPLATE, b"")
        direction = _POLICY_TAIL.unpack_from(payload, _POLICY_TAIL_OFFSET)[2]
        if len(template) < 64 or direction != _OUT:
            continue
        if struct.unpack_from("=I", template, 44)[0] != REQUEST_ID:
            continue
        family = struct.unpack_from("=H", payload, 40)[0]
        port: int = struct.unpack_from(">H", payload, 2 * _ADDRESS_BYTES)[0]
        spi: int = struct.unpack_from(">I", template, _ADDRESS_BYTES)[0]
        source = _address(payload, _ADDRESS_BYTES, family)
        yield (source, _address(payload, 0, family), port), spi


def _state(key: StateKey, secret: bytes) -> bytes:
    source, target, spi = key
    family = _family(target)
    cipher = _CIPHER.ljust(64, b"\0") + struct.pack("=II", len(secret) * 8, _CHECK_BITS) + secret
    return (
        _any_selector(family)
        + _id(target, spi)
        + _packed(source)
        + _LIFETIME
        + _COUNTED
        + _STATISTICS
        + _STATE_TAIL.pack(0, REQUEST_ID, family, _TRANSPORT, 0, 0)
        + attribute(_AEAD, cipher)
    )


def _any_selector(family: int) -> bytes:
    return (
        bytes(2 * _ADDRESS_BYTES)
        + _SELECTOR.pack(0, 0, 0, 0)
        + _SELECTOR_TAIL.pack(family, 0, 0, 0, 0, 0)
    )


def _selector(path: Path) -> bytes:
    source, target, port = path
    length = ip_address(target).max_prefixlen
    return (
        _packed(target)
        + _packed(source)
        + _SELECTOR.pack(port, 0xFFFF, 0, 0)
        + _SELECTOR_TAIL.pack(_family(target), length, length, socket.IPPROTO_UDP, 0, 0)
    )


def _template(source: str, target: str, spi: int) -> bytes:
    return (
        _id(target, spi)
        + struct.pack("=Hxx", _family(target))
        + _packed(source)
        + struct.pack("=IBBBx", REQUEST_ID, _TRANSPORT, 0, 0)
        + struct.pack("=III", *[_ANY_ALGORITHM] * 3)
    )


def _id(target: str, spi: int) -> bytes:
    return _packed(target) + struct.pack(">IBxxx", spi, socket.IPPROTO_ESP)


def _mark() -> bytes:
    return attribute(_MARK, struct.pack("=II", MARK, MARK))


def _family(address: str) -> int:
    return socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6


def _packed(address: str) -> bytes:
    return ip_address(address).packed.ljust(_ADDRESS_BYTES, b"\0")


def _address(payload: bytes, offset: int, family: int) -> str:
    length = 4 if family == socket.AF_INET else 16
    return str(ip_address(payload[offset : offset + length]))
