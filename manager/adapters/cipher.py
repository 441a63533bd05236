"""Sealing of what lies on the disk: AES-256-GCM by the newest data key.

Shape:   1 byte version, key number (uint32, big-endian), 12 bytes nonce, ciphertext and tag.
The nonce counts up from a random start: two do not meet under one key, however many records there
are, as they would if each were drawn anew (AES-GCM is for 2^32 of such at most).
"""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from manager.ports.cipher import CannotOpen
from protos.identity.keyring import Keyring

_VERSION = 1
_HEAD = struct.Struct(">BI")
_NONCE_BYTES = 12
_NONCES = 1 << 96
_TAG_BYTES = 16
OVERHEAD_BYTES = _HEAD.size + _NONCE_BYTES + _TAG_BYTES


class RingCipher:
    """The Cipher of a ring of keys that may get new ones while it is used."""

    def __init__(self, ring: Callable[[], Keyring]) -> None:
        self._ring = ring
        self._ciphers: dict[int, AESGCM] = {}
        self._count = itertools.count(int.from_bytes(os.urandom(_NONCE_BYTES)))  # next() is atomic

    def seal(self, plain: bytes, associated: bytes) -> bytes:
        """Return the bytes encrypted under the newest key."""
        number = self._ring().newest
        nonce = (next(self._count) % _NONCES).to_bytes(_NONCE_BYTES)
        head = _HEAD.pack(_VERSION, number)
        return head + nonce + self._cipher(number).encrypt(nonce, plain, head + associated)

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        """Return what was sealed. Errors: CannotOpen."""
        head, nonce = sealed[: _HEAD.size], sealed[_HEAD.size : _HEAD.size + _NONCE_BYTES]
        try:
            return self._cipher(key_number(sealed)).decrypt(
                nonce, sealed[_HEAD.size + _NONCE_BYTES :], head + associated
            )
        except InvalidTag:
            raise CannotOpen from None

    def _cipher(self, number: int) -> AESGCM:
        found = self._ciphers.get(number)
        if found is None:
            key = self._ring().data.get(number)
            if key is None:
                raise CannotOpen
            found = self._ciphers[number] = AESGCM(key)
        return found


def key_number(sealed: bytes) -> int:
    """Return which data key sealed this. Errors: CannotOpen when it is nothing sealed."""
    if len(sealed) < OVERHEAD_BYTES:
        raise CannotOpen
    version, number = _HEAD.unpack_from(sealed)
    if version != _VERSION:
        raise CannotOpen
    return int(number)
