"""`skep version`."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version

from api.versions import CURRENT, MINIMUM, spell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add none."""
    del parser


def run(parsed: argparse.Namespace) -> int:
    """Print our version and the API's."""
    del parsed
    sys.stdout.write(f"skep {version('skep')}, API {spell(MINIMUM)} to {spell(CURRENT)}\n")
    return 0
