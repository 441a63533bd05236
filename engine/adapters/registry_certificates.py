"""Certificates for registries, from the directories where Docker's users keep them.

`certs.d/<host>[:<port>]/` may hold `*.crt` (authorities, besides the system's own), and pairs of
`*.cert` and `*.key` by which we show who we are. They are read when they are needed, so that a
change needs no restart.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path

from api.errors import Internal

ROOTS = (Path("/etc/skep/certs.d"), Path("/etc/docker/certs.d"))

_Stamp = tuple[tuple[str, int], ...]


class UnusableCertificate(Internal):
    """A file of certs.d cannot be used."""


class RegistryCertificates:
    """Answers what TLS a host is to be spoken to with."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = roots
        self._made: dict[tuple[str, bool], tuple[_Stamp, ssl.SSLContext]] = {}

    async def of(self, host: str, *, verify: bool) -> ssl.SSLContext | bool:
        """Return the context for `host:port`; the plain wish where there are no files for it.

        Errors:  UnusableCertificate, naming the file.
        """
        return await asyncio.to_thread(self._of, host, verify)

    def _of(self, host: str, verify: bool) -> ssl.SSLContext | bool:
        files = self._files(host)
        if not files:
            return verify
        try:
            stamp = tuple((str(file), file.stat().st_mtime_ns) for file in files)
        except OSError as error:
            raise UnusableCertificate(f"{error.filename}: {error.strerror}") from error
        known = self._made.get((host, verify))
        if known is not None and known[0] == stamp:
            return known[1]
        context = _context(files, verify=verify)
        self._made[host, verify] = (stamp, context)
        return context

    def _files(self, host: str) -> list[Path]:
        if not host or host.startswith(".") or "/" in host:
            return []
        found: list[Path] = []
        for root in self._roots:
            directory = root / host
            if directory.is_dir():
                found += sorted(directory.iterdir())
        return [file for file in found if file.suffix in {".crt", ".cert", ".key"}]


def _context(files: Sequence[Path], *, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for file in files:
        try:
            if file.suffix == ".crt":
                context.load_verify_locations(file)
            elif file.suffix == ".cert":
                context.load_cert_chain(file, _partner(file, ".key", files))
            else:
                _partner(file, ".cert", files)
        except OSError as error:
            raise UnusableCertificate(f"{file}: {error.strerror or error}") from error
    return context


def _partner(file: Path, suffix: str, files: Sequence[Path]) -> Path:
    """Return the other file of a pair. Errors: UnusableCertificate."""
    partner = file.with_suffix(suffix)
    if partner not in files:
        kinds = ("key", "client certificate") if suffix == ".key" else ("client certificate", "key")
        hint = " CA certificates must use the extension .crt" if suffix == ".key" else ""
        raise UnusableCertificate(
            f"missing {kinds[0]} {partner.name} for {kinds[1]} {file.name}.{hint}"
        )
    return partner
