"""Filter values that are patterns: regular expressions in the syntax of Go's `regexp`, RE2.

RE2 takes time linear in pattern and text, whatever a client sends; Python's `re` does not.
Why this library: docs/decisions/0017-patterns-by-re2.md
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import re2

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20
_KEPT = 64


def fits_any(text: str, patterns: Collection[str]) -> bool:
    """Tell whether a text is one of the patterns, or one of them matches somewhere in it.

    What is no regular expression, or too large a one (a megabyte once compiled), matches only
    itself.
    Source:  Docker's `filters.Args.Match`, which ignores what does not compile.
    """
    return text in patterns or any(_is_found(pattern, text) for pattern in patterns)


def _is_found(pattern: str, text: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is not None and compiled.search(text) is not None


@lru_cache(_KEPT)
def _compiled(pattern: str) -> re2._Regexp | None:
    try:
        return re2.compile(pattern, _OPTIONS)
    except (re2.error, UnicodeEncodeError):  # the latter: half a character, out of JSON
        return None
