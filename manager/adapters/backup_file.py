"""A backup: one line that says what it is, then the cluster's state in sealed pieces.

Shape:   `skep-backup 1 <JSON>` and a line feed, then per piece its sealed length (uint32,
         big-endian) and the piece: AES-256-GCM, nonce = 7 random bytes of the first line, number
         of the piece (uint32), 1 for the last piece or 0. The first line is authenticated with
         every piece.
So a piece that was changed, moved, left out or cut off at the end is noticed.
"""

from __future__ import annotations

import base64
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.errors import InvalidArgument
from manager.ports.backups import BackupAbout

PIECE_BYTES = 4 << 20
_MAGIC = b"skep-backup 1 "
_TAG_BYTES = 16
_KEY_BYTES = 32
_PREFIX_BYTES = 7
_HEAD_LIMIT = 4096
_KEY_FORM = "SKEPBACKUP-1-"


class BadBackup(InvalidArgument):
    """The file is no backup, is not whole, or is sealed by another key."""

    def __init__(self, why: str) -> None:
        super().__init__(f"cannot restore the backup: {why}")


class BackupFiles:
    """Fulfils `Backups`."""

    def seal(self, about: BackupAbout, pieces: Iterable[bytes]) -> tuple[str, Iterator[bytes]]:
        """Return a fresh key as operators copy it, and the backup's bytes."""
        key = new_key()
        return key_text(key), seal(about, pieces, key)

    def open(self, path: Path, key: str) -> Iterator[bytes]:
        """Yield the pieces of a backup. Errors: BadBackup."""
        return unseal(path, parse_key(key))


def new_key() -> bytes:
    """Return a fresh key for one backup."""
    return AESGCM.generate_key(bit_length=256)


def key_text(key: bytes) -> str:
    """Return the form of a backup's key that operators copy."""
    return _KEY_FORM + base64.urlsafe_b64encode(key).rstrip(b"=").decode()


def parse_key(text: str) -> bytes:
    """Return the key that the text is. Errors: BadBackup."""
    try:
        raw = text.strip().removeprefix(_KEY_FORM).encode()
        key = base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=True)
    except ValueError:
        key = b""
    if not text.strip().startswith(_KEY_FORM) or len(key) != _KEY_BYTES:
        raise BadBackup(f"a backup's key begins with {_KEY_FORM} and has 43 characters more")
    return key


def seal(about: BackupAbout, pieces: Iterable[bytes], key: bytes) -> Iterator[bytes]:
    """Yield the bytes of a backup of the pieces, none larger than `PIECE_BYTES`."""
    prefix = os.urandom(_PREFIX_BYTES)
    about = msgspec.structs.replace(about, NoncePrefix=prefix.hex())
    head = _MAGIC + msgspec.json.encode(about) + b"\n"
    yield head
    cipher = AESGCM(key)
    for number, (piece, is_last) in enumerate(_with_last(pieces)):
        assert len(piece) <= PIECE_BYTES
        sealed = cipher.encrypt(_nonce(prefix, number, is_last=is_last), piece, head)
        yield struct.pack(">I", len(sealed)) + sealed


def read_about(path: Path) -> BackupAbout:
    """Return what a backup tells without its key. Errors: BadBackup."""
    with _open(path) as file:
        return _read_head(file)[1]


def unseal(path: Path, key: bytes) -> Iterator[bytes]:
    """Yield the pieces of a backup; whoever uses them must have seen the iterator's end.

    Errors:  BadBackup, possibly after some good pieces.
    """
    with _open(path) as file:
        head, about = _read_head(file)
        prefix = bytes.fromhex(about.NoncePrefix)
        cipher = AESGCM(key)
        for number, (sealed, is_last) in enumerate(_with_last(_read_pieces(file))):
            try:
                yield cipher.decrypt(_nonce(prefix, number, is_last=is_last), sealed, head)
            except InvalidTag:
                raise BadBackup("it is damaged, or this is not its key") from None


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise BadBackup(f"{path}: {error.strerror}") from error


def _read_head(file: BinaryIO) -> tuple[bytes, BackupAbout]:
    head = file.readline(_HEAD_LIMIT)
    if not head.startswith(_MAGIC):
        raise BadBackup("the file is no backup of this format")
    try:
        about = msgspec.json.decode(head.removeprefix(_MAGIC), type=BackupAbout)
        prefix = bytes.fromhex(about.NoncePrefix)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadBackup("its first line is damaged") from error
    if len(prefix) != _PREFIX_BYTES:
        raise BadBackup("its first line is damaged")
    return head, about


def _read_pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield the sealed pieces; there is at least one in a whole backup."""
    count = 0
    while length := file.read(4):
        size = struct.unpack(">I", length.ljust(4, b"\0"))[0]
        if len(length) < struct.calcsize(">I") or size > PIECE_BYTES + _TAG_BYTES:
            raise BadBackup("it is damaged")
        sealed = file.read(size)
        if len(sealed) < size:
            raise BadBackup("its end is missing")
        yield sealed
        count += 1
    if not count:
        raise BadBackup("its end is missing")


def _with_last(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each piece, and whether it is the last one; b"" alone where there are none."""
    held: bytes | None = None
    for piece in pieces:
        if held is not None:
            yield held, False
        held = piece
    yield held or b"", True


def _nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, is_last)
