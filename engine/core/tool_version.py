"""Versions as runc, crun, conmon, tini and catatonit print them."""

from __future__ import annotations

import re

_VERSION = re.compile(r"\bversion:?\s+v?(\S+)")
_COMMIT = re.compile(r"^commit:\s*(\S+)", re.MULTILINE)


def parse_version(output: str) -> tuple[str, str]:
    """Return (version, source revision) of what `--version` printed; "" for what is not there."""
    version = _VERSION.search(output)
    commit = _COMMIT.search(output)
    revision = commit.group(1).strip("'\"") if commit else ""
    return (
        version.group(1).rstrip(",") if version else "",
        "" if revision == "unknown" else revision,
    )
