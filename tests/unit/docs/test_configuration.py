"""The guides say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from agent.options import KEYS

DOCS = Path(__file__).parents[3] / "docs"


def test_every_key_of_daemon_json_is_documented() -> None:
    documented = set(re.findall(r"`([a-z0-9-]+)`", (DOCS / "configuration.md").read_text()))

    assert set() == set(KEYS) - documented


def test_every_decision_is_in_the_index() -> None:
    index = (DOCS / "decisions/README.md").read_text()

    assert [] == [
        page.name for page in (DOCS / "decisions").glob("0*.md") if f"({page.name})" not in index
    ]


def test_links_between_guides_lead_somewhere() -> None:
    for page in (*DOCS.rglob("*.md"), DOCS.parent / "README.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"
