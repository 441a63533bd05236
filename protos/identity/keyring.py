"""keys.json: the data keys of a manager, each wrapped by one key-encryption key (KEK).

With autolock off the KEK lies in the file itself, which then guards only against what reads the
database without it. With autolock on it is the operator's unlock key and nowhere on the disk.
All that is sealed is sealed by data keys, so changing the KEK, or locking, changes this one file.

    data keys   seal the log's records; the newest seals, older ones open what they sealed
    node key    number 0: the passphrase of node.key

Source: AES-256-GCM (NIST SP 800-38D); number and purpose of a key are authenticated with it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from api.errors import Internal
from api.swarm_errors import InvalidUnlockKey

KEY_FILE = "keys.json"
KEY_BYTES = 32
_NONCE_BYTES = 12
_NODE_KEY = 0
_VERSION = 1


class DamagedKeys(Internal):
    """keys.json cannot be read, and nothing that it opens can be either."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} is damaged: without it this manager's data cannot be opened. Put it back "
            "from a backup, or let the node leave the swarm (--force) and join again"
        )


class Wrapped(Struct, frozen=True):
    """A key, sealed by the KEK: nonce and ciphertext."""

    number: int
    sealed: bytes


class KeyFile(Struct, frozen=True, kw_only=True):
    """What the file holds. kek is set while managers do not lock; kek_digest tells which it is."""

    version: int = _VERSION
    kek_digest: str
    kek: bytes | None = None
    keys: tuple[Wrapped, ...]

    def __repr__(self) -> str:
        return f"KeyFile(kek_digest={self.kek_digest!r}, is_locked={self.is_locked})"

    @property
    def is_locked(self) -> bool:
        """Whether opening needs the operator's key."""
        return self.kek is None


@dataclass(frozen=True, slots=True)
class Keyring:
    """All keys of a manager, in clear. data holds at least one, by number, oldest first."""

    node_key: bytes = field(repr=False)
    data: dict[int, bytes] = field(repr=False)

    @property
    def newest(self) -> int:
        """The number of the key that seals."""
        return max(self.data)

    def with_new_key(self) -> Keyring:
        """Return the ring with one data key more, which seals from now on."""
        return Keyring(self.node_key, {**self.data, self.newest + 1: new_key()})

    def without_before(self, number: int) -> Keyring:
        """Return the ring without data keys older than this one; the newest always stays."""
        kept = {n: key for n, key in self.data.items() if n >= min(number, self.newest)}
        return Keyring(self.node_key, kept)


def new_key() -> bytes:
    """Return 256 random bits."""
    return os.urandom(KEY_BYTES)


def new_keyring() -> Keyring:
    """Return a ring with one data key."""
    return Keyring(new_key(), {1: new_key()})


def wrap(ring: Keyring, kek: bytes, *, is_locked: bool) -> bytes:
    """Return the file's bytes: every key wrapped by the KEK, which stays out of it when locked."""
    cipher = AESGCM(kek)
    keys = {_NODE_KEY: ring.node_key, **ring.data}
    wrapped = tuple(Wrapped(number, _seal(cipher, number, key)) for number, key in keys.items())
    file = KeyFile(kek_digest=kek_digest(kek), kek=None if is_locked else kek, keys=wrapped)
    return msgspec.json.format(msgspec.json.encode(file), indent=1)


def read_key_file(content: bytes, path: str) -> KeyFile:
    """Return what the file's bytes say, nothing opened yet. Errors: DamagedKeys."""
    try:
        file = msgspec.json.decode(content, type=KeyFile)
    except (msgspec.MsgspecError, ValueError) as cause:
        raise DamagedKeys(path) from cause
    numbers = [key.number for key in file.keys]
    is_whole = _NODE_KEY in numbers and len(numbers) > 1 and len(set(numbers)) == len(numbers)
    if file.version != _VERSION or not is_whole:
        raise DamagedKeys(path)
    return file


def unwrap(file: KeyFile, kek: bytes | None, path: str) -> Keyring:
    """Return the keys; the KEK is the file's own where it holds one.

    Errors:  InvalidUnlockKey for another key, or none; DamagedKeys when the key is right and
             something does not open all the same.
    """
    kek = file.kek if file.kek is not None else kek
    if kek is None or len(kek) != KEY_BYTES or kek_digest(kek) != file.kek_digest:
        raise InvalidUnlockKey
    cipher = AESGCM(kek)
    try:
        keys = {key.number: _open(cipher, key) for key in file.keys}
    except (InvalidTag, ValueError) as cause:
        raise DamagedKeys(path) from cause
    return Keyring(keys.pop(_NODE_KEY), dict(sorted(keys.items())))


def kek_digest(kek: bytes) -> str:
    """Return what tells one KEK from another. It has 256 random bits: no digest gives it away."""
    return hashlib.sha256(b"skep key-encryption key" + kek).hexdigest()


def _seal(cipher: AESGCM, number: int, key: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, key, _purpose(number))


def _open(cipher: AESGCM, key: Wrapped) -> bytes:
    nonce, sealed = key.sealed[:_NONCE_BYTES], key.sealed[_NONCE_BYTES:]
    return cipher.decrypt(nonce, sealed, _purpose(key.number))


def _purpose(number: int) -> bytes:
    return b"node key" if number == _NODE_KEY else b"data key %d" % number
