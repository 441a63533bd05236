"""A node's certificate on disk: root.crt, node.crt, node.key, read and replaced as one.

The three change together: they are written to `next/`, which appears whole, and are moved from
there one by one; what a killed writer left half moved, the next reader moves to its end.
node.key may be sealed by a passphrase (a manager's `Keyring.node_key`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from protos.identity.certificates import load_chain
from protos.identity.channels import Credentials
from protos.identity.durable import replace_file, sync_directory, write_file
from protos.identity.errors import UnusableKey
from protos.identity.keys import is_sealed, key_from_pem, key_to_pem

FOLDER = "certificates"
_ROOTS, _CHAIN, _KEY = "root.crt", "node.crt", "node.key"
_MODES = {_ROOTS: 0o644, _CHAIN: 0o644, _KEY: 0o600}
_NEXT, _PREPARED, _LOCK = "next", "next.new", ".lock"


class CertificateFiles:
    """The files in `<state dir>/certificates`, shared by the agent and the local manager.

    All methods block for the disk, or for the other process's turn: call them in a thread.
    """

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / FOLDER

    def exist(self) -> bool:
        """Tell whether the node has a certificate."""
        with self._turn() as is_there:
            return is_there and (self._folder / _CHAIN).exists()

    def load(self, passphrase: bytes | None = None) -> Credentials:
        """Return what the node shows and trusts, the key in clear.

        Errors:  FileNotFoundError; UnusableKey when the key needs another passphrase, or is not
                 the certificate's; BadCertificate.
        """
        with self._turn():
            roots, chain, key = (self._read(name) for name in _MODES)
        private = key_from_pem(key, passphrase if is_sealed(key) else None)
        certificate = load_chain(chain)[0]
        load_chain(roots)
        if certificate.public_key() != private.public_key():
            raise UnusableKey(f"{self._folder / _KEY} is not the key of {self._folder / _CHAIN}")
        return Credentials(roots=roots, chain=chain, key=key_to_pem(private))

    def read_public(self) -> tuple[bytes, bytes]:
        """Return roots and chain, which need no passphrase. Errors: FileNotFoundError."""
        with self._turn():
            return self._read(_ROOTS), self._read(_CHAIN)

    def needs_passphrase(self) -> bool:
        """Tell whether the key is sealed. Errors: FileNotFoundError."""
        with self._turn():
            return is_sealed(self._read(_KEY))

    def version(self) -> tuple[int, ...]:
        """Return what changes whenever the certificate or the roots do; cheap enough to poll.

        Errors:  FileNotFoundError.
        """
        found = ((self._folder / name).stat() for name in (_CHAIN, _ROOTS))
        return tuple(part for each in found for part in (each.st_ino, each.st_mtime_ns))

    def replace(self, credentials: Credentials, passphrase: bytes | None = None) -> None:
        """Put these in place of what is there; with a passphrase the key is sealed by it."""
        key = key_to_pem(key_from_pem(credentials.key), passphrase)
        contents = {_ROOTS: credentials.roots, _CHAIN: credentials.chain, _KEY: key}
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._turn():
            prepared = self._folder / _PREPARED
            shutil.rmtree(prepared, ignore_errors=True)
            prepared.mkdir(mode=0o700)
            for name, mode in _MODES.items():
                write_file(prepared / name, contents[name], mode)
            sync_directory(prepared)
            prepared.rename(self._folder / _NEXT)
            sync_directory(self._folder)
            self._move_next()

    def replace_roots(self, roots: bytes) -> None:
        """Trust these roots from now on (PEM)."""
        load_chain(roots)
        with self._turn():
            replace_file(self._folder / _ROOTS, roots, _MODES[_ROOTS])

    def seal(self, old: bytes | None, new: bytes | None) -> None:
        """Have the key sealed by another passphrase, or by none."""
        with self._turn():
            key = self._read(_KEY)
            private = key_from_pem(key, old if is_sealed(key) else None)
            replace_file(self._folder / _KEY, key_to_pem(private, new), _MODES[_KEY])

    def remove(self) -> None:
        """Forget the certificate: the node is in no cluster any more."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    @contextmanager
    def _turn(self) -> Iterator[bool]:
        """Wait for one's turn among processes and finish what a killed writer began.

        Yields whether the folder is there at all.
        """
        try:
            descriptor = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            yield False
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._move_next()
            yield True
        finally:
            os.close(descriptor)

    def _move_next(self) -> None:
        following = self._folder / _NEXT
        if not following.is_dir():
            return
        for name in _MODES:
            if (following / name).exists():
                (following / name).replace(self._folder / name)
        sync_directory(self._folder)
        following.rmdir()
        sync_directory(self._folder)
