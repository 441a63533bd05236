"""Where the API listens: unix sockets, TCP, TLS, and sockets that systemd hands over."""

from __future__ import annotations

import errno
import grp
import os
import re
import socket
import ssl
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from api.errors import InvalidArgument, SkepError

_TCP = re.compile(r"tcp://(\[[0-9a-fA-F:.]+\]|[^:/\[\]]*)(?::([0-9]{1,5}))?/?")
_SOCKET_MODE = 0o660
_FIRST_INHERITED_FD = 3
PLAIN_PORT = 2375
TLS_PORT = 2376


class CannotListen(SkepError):
    """An address cannot be listened on; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A socket file."""

    path: Path

    def __str__(self) -> str:
        return f"unix://{self.path}"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A host ("" for all of this machine's addresses) and a port (None: the usual one)."""

    host: str
    port: int | None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}" if self.port is None else f"tcp://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class InheritedAddress:
    """Sockets from systemd: all, or those of one name or number."""

    name: str

    def __str__(self) -> str:
        return f"fd://{self.name}"


Address = UnixAddress | TcpAddress | InheritedAddress


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files; with `verify` clients must show a certificate signed by `ca`."""

    cert: Path
    key: Path
    ca: Path | None
    verify: bool


@dataclass(frozen=True, slots=True)
class Access:
    """Who may connect, and how.

    The group of unix sockets, the TLS files of TCP, and whether TCP may go without TLS beyond
    this machine.
    """

    group: str = ""
    tls: TlsFiles | None = None
    allow_plain_tcp: bool = False


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket; `path` names the socket file that goes with it."""

    socket: socket.socket
    tls: ssl.SSLContext | None = None
    path: Path | None = None

    def unlink(self) -> None:
        """Remove the socket file."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def parse_address(text: str) -> Address:
    """Return the address that `unix:///path`, `tcp://host:port` or `fd://` names.

    Errors:  InvalidArgument.
    """
    if text.startswith("unix://"):
        path = text.removeprefix("unix://")
        if not path.startswith("/"):
            raise InvalidArgument(f"invalid host {text}: the path of a socket must be absolute")
        return UnixAddress(Path(path))
    if text.startswith("fd://"):
        return InheritedAddress(text.removeprefix("fd://"))
    found = _TCP.fullmatch(text)
    if found is None or int(found[2] or 0) > 65535:
        raise InvalidArgument(
            f"invalid host {text}: expected unix:///path, tcp://host:port or fd://"
        )
    return TcpAddress(found[1].strip("[]"), None if found[2] is None else int(found[2]))


def listen(addresses: Sequence[Address], access: Access) -> list[Listener]:
    """Return the bound sockets; on failure none is left bound.

    Errors:  CannotListen naming the address.
    """
    listeners: list[Listener] = []
    try:
        for address in addresses:
            match address:
                case UnixAddress():
                    listeners.append(_listen_unix(address.path, access.group))
                case TcpAddress():
                    listeners.extend(_listen_tcp(address, access))
                case InheritedAddress():
                    listeners.extend(_inherit(address.name, access))
    except BaseException:
        for listener in listeners:
            listener.socket.close()
            listener.unlink()
        raise
    return listeners


def _listen_unix(path: Path, group: str) -> Listener:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(path)
        bound = socket.socket(socket.AF_UNIX)
        before = os.umask(0o777 & ~_SOCKET_MODE)
        try:
            bound.bind(str(path))
        finally:
            os.umask(before)
        _give_to_group(path, group)
    except OSError as error:
        raise CannotListen(f"cannot listen on unix://{path}: {error.strerror or error}") from error
    return Listener(bound, path=path)


def _remove_stale(path: Path) -> None:
    """Remove a socket file that nobody listens on. Errors: CannotListen where somebody does."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise CannotListen(f"cannot listen on unix://{path}: a file of another kind is there")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise CannotListen(f"cannot listen on unix://{path}: another process listens there")


def _give_to_group(path: Path, group: str) -> None:
    """Give the socket to the group, which must exist unless it is the usual `docker`."""
    name = group or "docker"
    try:
        number = int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError:
        if group:
            path.unlink(missing_ok=True)
            raise CannotListen(f"cannot listen on unix://{path}: no such group: {group}") from None
        return
    os.chown(path, -1, number)


def _listen_tcp(address: TcpAddress, access: Access) -> list[Listener]:
    context = None if access.tls is None else tls_context(access.tls)
    port = address.port
    if port is None:
        port = PLAIN_PORT if context is None else TLS_PORT
    spelled = f"tcp://{address.host}:{port}"
    try:
        found = socket.getaddrinfo(
            address.host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise CannotListen(f"cannot listen on {spelled}: {error.strerror or error}") from error
    if context is None and not access.allow_plain_tcp:
        for *_, where in found:
            if not ip_address(str(where[0]).split("%")[0]).is_loopback:
                raise CannotListen(
                    f"refusing to listen on {spelled} without TLS: whoever reaches it is root "
                    "here. Use --tlsverify with certificates, or --allow-plain-tcp if you must"
                )
    return _bind_all(found, spelled, context)


def _bind_all(
    found: Sequence[tuple[Any, ...]], spelled: str, context: ssl.SSLContext | None
) -> list[Listener]:
    listeners: list[Listener] = []
    for family, kind, protocol, _, where in found:
        try:
            bound = socket.socket(family, kind, protocol)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.bind(where)
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL) and len(found) > 1:
                continue
            for listener in listeners:
                listener.socket.close()
            raise CannotListen(f"cannot listen on {spelled}: {error.strerror}") from error
        listeners.append(Listener(bound, context))
    return listeners


def _inherit(name: str, access: Access) -> list[Listener]:
    """Return the sockets that systemd passed (sd_listen_fds(3)), by their names if asked."""
    count = 0
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        count = int(os.environ.get("LISTEN_FDS", "0"))
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    listeners = []
    for index in range(count):
        number = _FIRST_INHERITED_FD + index
        if name and name != str(number) and name not in names[index : index + 1]:
            continue
        inherited = socket.socket(fileno=number)
        inherited.set_inheritable(False)
        is_tcp = inherited.family != socket.AF_UNIX
        context = tls_context(access.tls) if is_tcp and access.tls else None
        listeners.append(Listener(inherited, context))
    if not listeners:
        raise CannotListen(f"cannot listen on fd://{name}: no such socket was passed by systemd")
    return listeners


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the server's TLS: 1.2 or newer. Errors: CannotListen naming the files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(files.cert, files.key)
        if files.verify:
            context.load_verify_locations(files.ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError, TypeError) as error:
        raise CannotListen(
            f"cannot use the TLS files {files.cert}, {files.key}, {files.ca}: {error}"
        ) from error
    return context
