"""The log option `tag`: a small template of a container's names.

Only fields, `{{.Name}}` and the like, are filled in; Go's template functions are refused.
Source:  the reference's "Customize log driver output".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from api.errors import InvalidArgument

FIELDS = frozenset({"ID", "FullID", "Name", "ImageID", "ImageFullID", "ImageName", "DaemonName"})
_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_FIELD = re.compile(r"-?\s*\.(\w+)\s*-?", re.ASCII)


class BadTag(InvalidArgument):
    """A template that cannot be filled in."""

    def __init__(self, why: str) -> None:
        super().__init__(f"failed to initialize logging driver: template: log-tag:1: {why}")


def check_tag(template: str) -> None:
    """Accept a template that `fill_tag` can fill in. Errors: BadTag."""
    fill_tag(template, dict.fromkeys(FIELDS, ""))


def fill_tag(template: str, values: Mapping[str, str]) -> str:
    """Return the template with each `{{.Field}}` replaced by its value. Errors: BadTag."""

    def value(action: re.Match[str]) -> str:
        field = _FIELD.fullmatch(action[1].strip())
        if field is None:
            raise BadTag(f"unsupported action {action[0]}")
        if field[1] not in FIELDS:
            raise BadTag(
                f'executing "log-tag" at <.{field[1]}>: '
                f"can't evaluate field {field[1]} in type *logger.Info"
            )
        return values[field[1]]

    filled = _ACTION.sub(value, template)
    if "{{" in _ACTION.sub("", template):
        raise BadTag("unclosed action")
    return filled
