"""The node's certificate and the manager's keys on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from api.errors import Internal
from protos.identity.certificate_files import CertificateFiles
from protos.identity.certificates import new_request
from protos.identity.channels import Credentials
from protos.identity.durable import replace_file
from protos.identity.keyring import KEY_FILE, KeyFile, read_key_file
from protos.identity.keys import key_to_pem, new_key

_JOINING = "joining.pem"
_REQUEST_BEGIN = b"-----BEGIN CERTIFICATE REQUEST-----"

T = TypeVar("T")


class DiskCertificates:
    """Fulfils `CertificateStore` by the files in the node's swarm directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files = CertificateFiles(directory)

    async def read_public(self) -> tuple[bytes, bytes] | None:
        """Return roots and chain; None where there are none."""
        return await _done(self._read_public)

    async def load(self, passphrase: bytes | None) -> Credentials:
        """Return what the node shows."""
        return await _done(lambda: self._files.load(passphrase))

    async def is_sealed(self) -> bool:
        """Tell whether the key needs a passphrase."""
        return await _done(self._files.needs_passphrase)

    async def replace(self, credentials: Credentials, passphrase: bytes | None) -> None:
        """Put these in place of what is there; a join is done with that."""
        await _done(lambda: self._replace(credentials, passphrase))

    async def replace_roots(self, roots: bytes) -> None:
        """Trust these from now on."""
        await _done(lambda: self._files.replace_roots(roots))

    async def seal(self, old: bytes | None, new: bytes | None) -> None:
        """Have the key sealed by another passphrase, or by none."""
        await _done(lambda: self._files.seal(old, new))

    async def manager_keys(self) -> KeyFile | None:
        """Return the keys of the local manager, closed."""
        return await _done(self._manager_keys)

    async def joining(self) -> tuple[bytes, bytes]:
        """Return the key and the request of a join; a crash in the middle does not change them."""
        return await _done(self._joining)

    def _read_public(self) -> tuple[bytes, bytes] | None:
        return self._files.read_public() if self._files.exist() else None

    def _replace(self, credentials: Credentials, passphrase: bytes | None) -> None:
        self._files.replace(credentials, passphrase)
        (self._directory / _JOINING).unlink(missing_ok=True)

    def _manager_keys(self) -> KeyFile | None:
        path = self._directory / KEY_FILE
        try:
            return read_key_file(path.read_bytes(), str(path))
        except FileNotFoundError:
            return None

    def _joining(self) -> tuple[bytes, bytes]:
        path = self._directory / _JOINING
        try:
            key, begin, rest = path.read_bytes().partition(_REQUEST_BEGIN)
        except FileNotFoundError:
            private = new_key()
            key, request = key_to_pem(private), new_request(private)
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(path, key + request)
            return key, request
        return key, begin + rest


async def _done(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise Internal(
            f"cannot keep the certificate: {error.filename}: {error.strerror}"
        ) from error
