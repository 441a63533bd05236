"""What the options of a log driver mean, and which of them are refused.

Source:  the reference's json-file and local drivers: names, defaults and words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from api.errors import InvalidArgument
from api.types.containers import LogConfig
from engine.core.log_tag import check_tag

_DELIVERY = frozenset({"mode", "max-buffer-size"})
_FILES = frozenset({"max-size", "max-file", "compress"})
_DETAILS = frozenset({"labels", "labels-regex", "env", "env-regex", "tag"})
_OPTIONS: Mapping[str, frozenset[str]] = {
    "json-file": _FILES | _DETAILS | _DELIVERY,
    "local": _FILES | _DELIVERY,
    "none": frozenset(),
}
DRIVERS = frozenset(_OPTIONS)
_OTHERS = frozenset(
    {"awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "journald", "splunk", "syslog"}
)
_LOCAL_MAX_BYTES = 20 << 20
_LOCAL_MAX_FILES = 5
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?", re.IGNORECASE | re.ASCII)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class Rotation(Struct, frozen=True):
    """When a log is set aside and what is kept: `max_files` counts the present one too."""

    max_bytes: int
    max_files: int
    compress: bool


class LogOptionRefused(InvalidArgument):
    """A value that the driver does not take."""

    def __init__(self, why: str) -> None:
        super().__init__(f"failed to initialize logging driver: {why}")


def check_log(config: LogConfig) -> None:
    """Refuse an unknown driver, an unknown option, or a value without sense.

    Errors:  InvalidArgument.
    """
    driver, options = config.Type, config.Config or {}
    if driver in _OTHERS:
        raise InvalidArgument(f"logger: no log driver named '{driver}' is registered")
    if driver not in _OPTIONS:
        raise InvalidArgument(
            f'error looking up logging plugin {driver}: plugin "{driver}" not found'
        )
    _check_delivery(options)
    for key in options:
        if key not in _OPTIONS[driver]:
            raise InvalidArgument(_unknown(key, driver))
    rotation_of(config)
    for key in ("labels-regex", "env-regex"):
        _check_pattern(options.get(key, ""))
    check_tag(options.get("tag", ""))


def rotation_of(config: LogConfig) -> Rotation | None:
    """Return how a log is rotated; None when it grows for ever, or is not kept at all.

    Errors:  LogOptionRefused.
    """
    options = config.Config or {}
    match config.Type:
        case "json-file":
            return _json_file(options)
        case "local":
            return _local(options)
        case _:
            return None


def _json_file(options: Mapping[str, str]) -> Rotation | None:
    text = options.get("max-size", "")
    max_bytes = 0
    if text:
        max_bytes = decimal_size(text)
        if max_bytes <= 0:
            raise LogOptionRefused("max-size must be a positive number")
    max_files = _count(options.get("max-file", "1"))
    if max_files < 1:
        raise LogOptionRefused("max-file cannot be less than 1")
    compress = _boolean(options.get("compress", "false"))
    if compress and (max_files < 2 or not max_bytes):
        raise LogOptionRefused(
            "compress cannot be true when max-file is less than 2 or max-size is not set"
        )
    return Rotation(max_bytes, max_files, compress) if max_bytes else None


def _local(options: Mapping[str, str]) -> Rotation | None:
    max_bytes = _LOCAL_MAX_BYTES
    if text := options.get("max-size", ""):
        try:
            max_bytes = decimal_size(text)
        except LogOptionRefused as error:
            why = error.message.rpartition("driver: ")[2]
            raise LogOptionRefused(f"invalid value for max-size: {text}: {why}") from error
    max_files = _count(options.get("max-file", str(_LOCAL_MAX_FILES)))
    try:
        compress = _boolean(options.get("compress", "true"))
    except LogOptionRefused as error:
        why = error.message.rpartition("driver: ")[2]
        raise LogOptionRefused(f"error reading compress log option: {why}") from error
    if compress and max_files < 2:
        raise LogOptionRefused("compression cannot be enabled when max file count is 1")
    if max_files < 1:
        raise LogOptionRefused("max-file cannot be less than 1")
    return Rotation(max_bytes, max_files, compress) if max_bytes else None


def decimal_size(text: str) -> int:
    """Return the bytes of "10m" and the like; k is a thousand here. Errors: LogOptionRefused."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise LogOptionRefused(f"invalid size: '{text}'")
    return int(float(found[1]) * 1000 ** _POWERS[found[2].lower()])


def _check_delivery(options: Mapping[str, str]) -> None:
    mode = options.get("mode", "")
    if mode not in {"", "blocking", "non-blocking"}:
        raise InvalidArgument(f"logger: logging mode not supported: {mode}")
    buffer = options.get("max-buffer-size")
    if buffer is None:
        return
    if mode != "non-blocking":
        raise InvalidArgument(
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'"
        )
    if _SIZE.fullmatch(buffer) is None:
        raise InvalidArgument(f"error parsing option max-buffer-size: invalid size: '{buffer}'")


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise LogOptionRefused(f"error parsing regexp: {error}: `{pattern}`") from error


def _unknown(key: str, driver: str) -> str:
    if driver == "local":
        return f"unknown log opt '{key}' for log driver local"
    return f"unknown log opt '{key}' for {driver} log driver"


def _count(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
        raise LogOptionRefused(f'strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def _boolean(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise LogOptionRefused(f'strconv.ParseBool: parsing "{text}": invalid syntax')
