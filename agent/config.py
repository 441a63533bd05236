"""The daemon's configuration: /etc/skep/daemon.json and flags, checked and put in our own types."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from agent.core.generic_resources import parse_generic_resources
from agent.options import KEYS, Options
from api.errors import InvalidArgument
from api.http.listeners import Access, Address, TlsFiles, parse_address
from api.types.containers import LogConfig
from engine.core.log_options import check_log
from engine.settings import AddressPool, RuntimeBinary, Settings

DEFAULT_FILE = Path("/etc/skep/daemon.json")
DEFAULT_HOST = "unix:///run/skep.sock"
DEFAULT_CERTIFICATES = Path("/etc/skep")
LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")

# What a reload changes; all else needs a restart.
RELOADABLE = (
    "debug",
    "labels",
    "live_restore",
    "shutdown_timeout_s",
    "default_runtime",
    "runtimes",
    "insecure_registries",
    "registry_mirrors",
    "max_concurrent_downloads",
    "max_concurrent_uploads",
    "max_download_attempts",
)

_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_TABLE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_SIZE = re.compile(r"([0-9]{1,15})\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_MINIMUM_MTU = 68


class InvalidConfiguration(InvalidArgument):
    """File or flags cannot be used; the message names the file and the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonConfig:
    """All that the daemon is started with."""

    settings: Settings
    addresses: tuple[Address, ...]
    access: Access
    pidfile: Path | None = None
    log_level: str = "info"
    log_format: str = "text"
    default_advertise: str = ""


def read_config(file: Path, flags: Mapping[str, Any]) -> DaemonConfig:
    """Return what file and flags say together: flags win, key by key. No file is an empty one.

    Errors:  InvalidConfiguration.
    """
    return make_config({**read_file(file), **flags}, file)


def read_file(file: Path) -> dict[str, Any]:
    """Return the file's keys and values. Errors: InvalidConfiguration naming file and keys."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InvalidConfiguration(f"cannot read {file}: {error.strerror}") from error
    if not content.strip():
        return {}
    try:
        found = msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidConfiguration(f"{file}: {error}") from error
    if unknown := sorted(found.keys() - KEYS):
        raise InvalidConfiguration(
            f"{file}: the following directives don't match any configuration option: "
            f"{', '.join(unknown)}"
        )
    return found


def make_config(given: Mapping[str, Any], file: Path = DEFAULT_FILE) -> DaemonConfig:
    """Return the configuration that these keys make. Errors: InvalidConfiguration."""
    try:
        options = msgspec.convert(dict(given), Options)
    except msgspec.ValidationError as error:
        raise InvalidConfiguration(f"{file}: {error}") from error
    try:
        return DaemonConfig(
            settings=_settings(options),
            addresses=tuple(map(parse_address, _or(options.hosts, [DEFAULT_HOST]))),
            access=_access(options),
            pidfile=Path(options.pidfile) if options.pidfile else None,
            log_level=_one_of("log-level", _or(options.log_level, "info"), LOG_LEVELS),
            log_format=_one_of("log-format", _or(options.log_format, "text"), ("text", "json")),
            default_advertise=_or(options.swarm_default_advertise_addr, ""),
        )
    except InvalidConfiguration:
        raise
    except (InvalidArgument, ValueError) as error:
        raise InvalidConfiguration(f"invalid configuration: {error}") from error


def reloaded(current: Settings, fresh: Settings) -> Settings:
    """Return the settings in force after a reload."""
    return replace(current, **{name: getattr(fresh, name) for name in RELOADABLE})


def _or(value: Any, default: Any) -> Any:
    return default if value is UNSET else value


_SAME_NAMES = frozenset(field.name for field in fields(Settings)) & frozenset(
    Options.__struct_fields__
)


def _settings(options: Options) -> Settings:
    """Return the engine's settings; keys of the same name are taken over as they are."""
    given: dict[str, Any] = {}
    for name in _SAME_NAMES:
        value = getattr(options, name)
        if value is not UNSET:
            given[name] = tuple(value) if isinstance(value, list) else value
    for name, (target, make) in _RENAMED.items():
        value = getattr(options, name)
        if value is not UNSET:
            given[target or name] = make(value)
    settings = Settings(**given)
    for check in _CHECKS:
        check(settings)
    return settings


def _absolute(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise InvalidConfiguration(f"data-root and exec-root must be absolute paths: {text}")
    return path


def _directories(texts: Iterable[str]) -> tuple[Path, ...]:
    for text in texts:
        if not Path(text).is_absolute():
            raise InvalidConfiguration(f"cdi-spec-dirs: not an absolute path: {text}")
    return tuple(map(Path, texts))


def _runtimes(options: Mapping[str, Any]) -> dict[str, RuntimeBinary]:
    named = {name: RuntimeBinary(it.path, tuple(it.runtime_args)) for name, it in options.items()}
    return {**Settings().runtimes, **named}


def _pools(options: Iterable[Any]) -> tuple[AddressPool, ...]:
    pools = []
    for option in options:
        network = ipaddress.ip_network(option.base)
        if not network.prefixlen <= option.size <= network.max_prefixlen:
            raise InvalidConfiguration(
                f"default-address-pools: size {option.size} does not fit {option.base}"
            )
        pools.append(AddressPool(str(network), option.size))
    return tuple(pools)


def _bytes(value: str | int) -> int:
    if isinstance(value, int):
        return value
    found = _SIZE.fullmatch(value.strip())
    if found is None:
        raise InvalidConfiguration(f"default-shm-size: invalid size: {value!r}")
    return int(found[1]) << _UNITS[found[2].lower()]


def _identity(value: Any) -> Any:
    return value


_RENAMED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "data_root": ("", _absolute),
    "exec_root": ("", _absolute),
    "runtimes": ("", _runtimes),
    "default_shm_size": ("", _bytes),
    "shutdown_timeout": ("shutdown_timeout_s", _identity),
    "default_address_pools": ("address_pools", _pools),
    "ip": ("default_host_ip", _identity),
    "cdi_spec_dirs": ("", _directories),
    "node_generic_resources": ("generic_resources", parse_generic_resources),
}


def _check_names(settings: Settings) -> None:
    if not _INTERFACE.fullmatch(settings.bridge) or settings.bridge in (".", ".."):
        raise InvalidConfiguration(f"bridge: not a name of an interface: {settings.bridge!r}")
    if not _TABLE.fullmatch(settings.firewall_table):
        raise InvalidConfiguration(f"firewall-table: not a name: {settings.firewall_table!r}")
    for label in settings.labels:
        if not label.partition("=")[0]:
            raise InvalidConfiguration(f"labels: not of the form key=value: {label!r}")


def _check_runtime(settings: Settings) -> None:
    if settings.default_runtime not in settings.runtimes:
        raise InvalidConfiguration(
            f"default-runtime: {settings.default_runtime!r} is not among the runtimes: "
            f"{', '.join(sorted(settings.runtimes))}"
        )


def _check_addresses(settings: Settings) -> None:
    for key, text in (("bip", settings.bip), ("bip6", settings.bip6)):
        if text and "/" not in text:
            raise InvalidConfiguration(f"{key}: expected an address with a prefix length: {text}")
        _parse(key, ipaddress.ip_interface, text)
    _parse("fixed-cidr", ipaddress.ip_network, settings.fixed_cidr)
    _parse("ip", ipaddress.ip_address, settings.default_host_ip)
    for server in settings.dns:
        _parse("dns", ipaddress.ip_address, server)


def _parse(key: str, read: Callable[[str], object], text: str) -> None:
    try:
        if text:
            read(text)
    except ValueError as error:
        raise InvalidConfiguration(f"{key}: {error}") from error


def _check_numbers(settings: Settings) -> None:
    if settings.mtu < _MINIMUM_MTU:
        raise InvalidConfiguration(f"mtu: {settings.mtu} is too small")
    for key, number, least in (
        ("shutdown-timeout", settings.shutdown_timeout_s, -1),
        ("max-concurrent-downloads", settings.max_concurrent_downloads, 1),
        ("max-concurrent-uploads", settings.max_concurrent_uploads, 1),
        ("max-download-attempts", settings.max_download_attempts, 1),
        ("default-shm-size", settings.default_shm_size, 1),
    ):
        if number < least:
            raise InvalidConfiguration(f"{key}: {number} is less than {least}")


def _check_modes(settings: Settings) -> None:
    _one_of("default-ipc-mode", settings.default_ipc_mode, ("private", "shareable"))
    _one_of("default-cgroupns-mode", settings.default_cgroupns_mode, ("", "host", "private"))


def _check_remap(settings: Settings) -> None:
    if settings.userns_remap.count(":") > 1 or settings.userns_remap.startswith(":"):
        raise InvalidConfiguration(
            "userns-remap: invalid user/group specification: "
            f"{settings.userns_remap!r}: expected default, user, user:group, uid or uid:gid"
        )


def _check_logs(settings: Settings) -> None:
    try:
        check_log(LogConfig(settings.log_driver, dict(settings.log_opts)))
    except InvalidArgument as error:
        raise InvalidConfiguration(f"log-driver, log-opts: {error.message}") from error


_CHECKS = (
    _check_names,
    _check_runtime,
    _check_addresses,
    _check_numbers,
    _check_modes,
    _check_remap,
    _check_logs,
)


def _one_of(key: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        shown = ", ".join(filter(None, allowed))
        raise InvalidConfiguration(f"{key}: {value!r} is none of {shown}")
    return value


def _access(options: Options) -> Access:
    """Return who may connect; with TLS, certificates lie in /etc/skep unless said otherwise."""
    verify = _or(options.tlsverify, default=False)
    tls = None
    if verify or _or(options.tls, default=False):
        tls = TlsFiles(
            cert=Path(_or(options.tlscert, str(DEFAULT_CERTIFICATES / "cert.pem"))),
            key=Path(_or(options.tlskey, str(DEFAULT_CERTIFICATES / "key.pem"))),
            ca=Path(_or(options.tlscacert, str(DEFAULT_CERTIFICATES / "ca.pem"))),
            verify=verify,
        )
    return Access(
        group=_or(options.group, ""),
        tls=tls,
        allow_plain_tcp=_or(options.allow_plain_tcp, default=False),
    )
