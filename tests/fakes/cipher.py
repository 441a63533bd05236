"""A cipher with one key: real encryption, no key management."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from manager.ports.cipher import CannotOpen

_NONCE_BYTES = 12


class OneKeyCipher:
    """Fulfils `Cipher`."""

    def __init__(self, key: bytes = b"k" * 32) -> None:
        self._aead = AESGCM(key)

    def seal(self, plain: bytes, associated: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plain, associated)

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], associated)
        except (InvalidTag, ValueError) as error:
            raise CannotOpen from error
