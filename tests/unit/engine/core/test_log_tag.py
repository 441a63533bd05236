"""The log option `tag`."""

from __future__ import annotations

import pytest

from engine.core.log_tag import FIELDS, BadTag, fill_tag

VALUES = {name: name.lower() for name in FIELDS}


def test_fields_are_filled_in() -> None:
    """With or without space and trim signs."""
    assert "name/id" == fill_tag("{{.Name}}/{{ .ID }}", VALUES)
    assert "plain" == fill_tag("plain", VALUES)


@pytest.mark.parametrize("template", ["{{.Name", "{{.Nope}}", "{{printf 1}}", "{{}}"])
def test_what_cannot_be_filled_in_is_refused(template: str) -> None:
    """Before a container is made of it."""
    with pytest.raises(BadTag):
        fill_tag(template, VALUES)
