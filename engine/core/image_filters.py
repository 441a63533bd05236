"""Which images a listing or a prune is about.

Source:  Engine API 1.56, GET /images/json and POST /images/prune.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from api.errors import InvalidArgument
from api.references import Reference
from engine.core.timestamps import parse_moment

LIST_FILTERS = frozenset({"dangling", "label", "label!", "before", "since", "reference", "until"})

_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:h|ms|us|ns|m|s))+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|ms|us|ns|m|s)")
_UNIT_NS = {
    "h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000, "ms": 1_000_000, "us": 1_000,
    "ns": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the tests look at; `created` is RFC 3339 or ""."""

    created: str
    labels: Mapping[str, str]

    @property
    def created_ns(self) -> int:
        """Nanoseconds since the epoch; 0 when unknown."""
        try:
            return parse_moment(self.created) if self.created else 0
        except InvalidArgument:
            return 0


def check_keys(wanted: Mapping[str, Collection[str]]) -> None:
    """Refuse a filter that there is not. Errors: InvalidArgument."""
    unknown = sorted(set(wanted) - LIST_FILTERS)
    if unknown:
        raise InvalidArgument(f"invalid filter '{unknown[0]}'")


def wants_dangling(wanted: Mapping[str, Collection[str]]) -> bool | None:
    """Return what `dangling` asks for, None if nothing. Errors: InvalidArgument."""
    values = {value.lower() for value in wanted.get("dangling", ())}
    if not values:
        return None
    if len(values) == 1 and values <= {"1", "true", "t"}:
        return True
    if len(values) == 1 and values <= {"0", "false", "f"}:
        return False
    shown = ", ".join(f'"{value}"' for value in sorted(values))
    raise InvalidArgument(f"invalid filter 'dangling=[{shown}]'")


def matches_labels(facts: ImageFacts, wanted: Mapping[str, Collection[str]]) -> bool:
    """Tell whether an image has all the labels asked for, and none of the others."""
    return all(_has(facts.labels, each) for each in wanted.get("label", ())) and not any(
        _has(facts.labels, each) for each in wanted.get("label!", ())
    )


def _has(labels: Mapping[str, str], text: str) -> bool:
    key, equals, value = text.partition("=")
    return key in labels and (not equals or labels[key] == value)


def matches_age(facts: ImageFacts, wanted: Mapping[str, Collection[str]], now_ns: int) -> bool:
    """Tell whether an image was made before `until`. Errors: InvalidArgument."""
    moments = list(wanted.get("until", ()))
    if len(moments) > 1:
        raise InvalidArgument("more than one until filter specified")
    return not moments or facts.created_ns < moment_or_age(moments[0], now_ns)


def moment_or_age(text: str, now_ns: int) -> int:
    """Return nanoseconds since the epoch of a time, or of a Go duration ago (`1h30m`)."""
    if _DURATION.fullmatch(text):
        parts = _PART.findall(text)
        return now_ns - sum(int(float(number) * _UNIT_NS[unit]) for number, unit in parts)
    return parse_moment(text)


def matches_reference(reference: Reference, patterns: Collection[str]) -> bool:
    """Tell whether a name fits one of the patterns: `busy*`, `*:latest`, `registry/*/x`.

    `*` and `?` stop at a slash, as in a shell.
    """
    names = (reference.familiar, reference.familiar_name, str(reference), reference.name)
    return not patterns or any(
        _glob(pattern).fullmatch(name) for pattern in patterns for name in names
    )


def _glob(pattern: str) -> re.Pattern[str]:
    """Translate a shell pattern. Errors: InvalidArgument."""
    out = []
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        at += 1
        if letter == "*":
            out.append("[^/]*")
            while pattern[at : at + 1] == "*":
                at += 1
        elif letter == "?":
            out.append("[^/]")
        elif letter == "[":
            end = pattern.find("]", at + 1)
            if end < 0:
                raise InvalidArgument(f"syntax error in pattern: {pattern}")
            inside = pattern[at:end].replace("\\", "\\\\").replace("[", "\\[")
            out.append(f"[{inside}]")
            at = end + 1
        elif letter == "\\" and at < len(pattern):
            out.append(re.escape(pattern[at]))
            at += 1
        else:
            out.append(re.escape(letter))
    try:
        return re.compile("".join(out))
    except re.error as error:
        raise InvalidArgument(f"syntax error in pattern: {pattern}") from error
