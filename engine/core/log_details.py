"""The details that `logs --details` shows: labels and variables that the log options choose."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote_plus

from api.errors import InvalidArgument


def log_details(
    options: Mapping[str, str],
    labels: Mapping[str, str],
    variables: Sequence[str],
    tag: str = "",
) -> bytes:
    """Return `key=value,key=value `, sorted, percent-encoded; a single space when none is chosen.

    `options` are the log driver's: labels, labels-regex, env, env-regex. `variables` are the
    container's NAME=value; `tag` is the option of that name, filled in.
    Errors:  InvalidArgument when an expression is none.
    Source:  Docker's json-file driver, `--log-opt labels=…`, `env=…`.
    """
    environment = dict(
        variable.split("=", 1) for variable in reversed(variables) if "=" in variable
    )
    chosen = {
        **_chosen(labels, options.get("labels", ""), options.get("labels-regex", "")),
        **_chosen(environment, options.get("env", ""), options.get("env-regex", "")),
    }
    if tag:
        chosen["tag"] = tag
    pairs = (f"{quote_plus(key)}={quote_plus(value)}" for key, value in sorted(chosen.items()))
    return ",".join(pairs).encode() + b" "


def _chosen(values: Mapping[str, str], names: str, expression: str) -> dict[str, str]:
    wanted = set(names.split(","))
    try:
        pattern = re.compile(expression) if expression else None
    except re.error as error:
        raise InvalidArgument(f"invalid regular expression {expression!r}: {error}") from error
    return {
        key: value
        for key, value in values.items()
        if key in wanted or (pattern is not None and pattern.search(key))
    }
