"""The specifications of devices that vendors put into directories of the host."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog

from engine.core.cdi import CdiSpec, is_valid

log = structlog.get_logger(__name__)

_LONGEST_BYTES = 16 << 20


def read_specs(directories: Iterable[Path]) -> list[CdiSpec]:
    """Return the specifications, those of a later directory last; a bad file is logged."""
    found = []
    for directory in directories:
        try:
            files = sorted(directory.iterdir())
        except OSError:
            continue
        for file in files:
            spec = _read(file)
            if spec is not None:
                found.append(spec)
    return found


def _read(file: Path) -> CdiSpec | None:
    try:
        if file.suffix == ".json":
            spec = msgspec.json.decode(_content(file), type=CdiSpec)
        elif file.suffix in {".yaml", ".yml"}:
            # Needs PyYAML, which only those have to install whose vendor writes YAML.
            spec = msgspec.yaml.decode(_content(file), type=CdiSpec)
        else:
            return None
    except (OSError, ImportError, msgspec.MsgspecError) as error:
        log.warning("cdi.bad_file", file=str(file), reason=str(error))
        return None
    if not is_valid(spec):
        log.warning("cdi.bad_file", file=str(file), reason="no kind or version")
        return None
    return spec


def _content(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_LONGEST_BYTES)
