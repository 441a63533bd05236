"""Progress lines: the JSON objects, one a line, that long image operations answer with.

The docker command draws its bars from them. Field order is fixed: status, progressDetail,
progress, id.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Struct, UnsetType

_BAR_WIDTH = 50
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_encoder = msgspec.json.Encoder()


class _Detail(Struct, omit_defaults=True):
    current: int = 0
    total: int = 0


class _Line(Struct):
    status: str
    progressDetail: _Detail | UnsetType = UNSET  # noqa: N815  the API's spelling
    progress: str | UnsetType = UNSET
    id: str | UnsetType = UNSET


class _ErrorDetail(Struct):
    message: str


class _ErrorLine(Struct):
    errorDetail: _ErrorDetail  # noqa: N815  the API's spelling
    error: str


def status_line(status: str, item: str = "") -> bytes:
    """Return a line of plain words, about `item` if given."""
    return _line(_Line(status, id=item or UNSET))


def step_line(status: str, item: str) -> bytes:
    """Return a line that says what step a layer is at."""
    return _line(_Line(status, _Detail(), id=item))


def progress_line(status: str, item: str, current: int, total: int) -> bytes:
    """Return a line that moves a layer's bar; sizes in bytes, `total` 0 when unknown."""
    return _line(_Line(status, _Detail(current, total), render_bar(current, total), item))


def aux_line(value: object) -> bytes:
    """Return a line for programs: a value that the docker command does not show."""
    return _encoder.encode({"progressDetail": {}, "aux": value}) + b"\r\n"


def error_line(message: str) -> bytes:
    """Return the line that ends a stream that failed after it began."""
    return _encoder.encode(_ErrorLine(_ErrorDetail(message), message)) + b"\r\n"


def _line(line: _Line) -> bytes:
    return _encoder.encode(line) + b"\r\n"


def render_bar(current: int, total: int) -> str:
    """Return `[=====>     ]  1.05MB/4.2MB`, or the size alone when the total is unknown."""
    if total <= 0:
        return f"{human_size(current):>8}" if current > 0 else ""
    current = min(current, total)
    filled = _BAR_WIDTH * current // total
    head = ">" if filled < _BAR_WIDTH else ""
    bar = f"{'=' * filled}{head}".ljust(_BAR_WIDTH)
    return f"[{bar}]  {human_size(current):>7}/{human_size(total)}"


def human_size(size: int) -> str:
    """Return a size in decimal units with four significant digits: `1.234MB`."""
    scaled = float(size)
    unit = 0
    while scaled >= 1000 and unit < len(_UNITS) - 1:
        scaled /= 1000
        unit += 1
    return f"{scaled:.4g}{_UNITS[unit]}"
